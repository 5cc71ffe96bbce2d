import { nodeClock } from './node-clock.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { nodeRandom } from './node-random.ts'
import type { Ports } from './ports.ts'

/** The real world. */
export const nodePorts: Ports = { fileSystem: nodeFileSystem, clock: nodeClock, random: nodeRandom }
