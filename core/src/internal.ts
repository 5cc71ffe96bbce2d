// What the packages above share with this one. It is nobody else's: any version may change it.
export { recycle } from './batch/batch-writer.ts'
export { topicConfigChecks } from './embedded/topic-config.ts'
export { invariant } from './errors.ts'
export { isOpaque } from './serdes/json-loss.ts'
export { isHeld } from './serdes/json-number.ts'
export { copiesBytes } from './serdes/serde.ts'
export { timeOfText } from './serdes/time-text.ts'
export { type CarriedError, carriedError, carryError } from './threads/carried-error.ts'
