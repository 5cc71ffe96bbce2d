import { randomInt, randomUUID } from 'node:crypto'
import type { Random } from './random.ts'

/** The machine's randomness. */
export const nodeRandom: Random = { integer: (limit) => randomInt(limit), uuid: () => randomUUID() }
