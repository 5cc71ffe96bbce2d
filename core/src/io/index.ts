export type { Channel, ChannelEvents } from './channel.ts'
export type { Boot, Clock, Timer } from './clock.ts'
export { sleep } from './clock.ts'
export type { File, FileLock, FileSystem, WriteHint } from './file-system.ts'
export type { Random } from './random.ts'
export type { Ports } from './ports.ts'
export { nodeClock } from './node-clock.ts'
export { nodeFileSystem } from './node-file-system.ts'
export {
  type MessagePort,
  moduleBeside,
  parentChannel,
  startThread,
  type Thread,
  threadData,
  type ThreadEnd,
} from './node-thread.ts'
export { processIdentity } from './node-process.ts'
export { nodePorts } from './node-ports.ts'
export { nodeRandom } from './node-random.ts'
