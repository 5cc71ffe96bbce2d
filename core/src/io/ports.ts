import type { Clock } from './clock.ts'
import type { FileSystem } from './file-system.ts'
import type { Random } from './random.ts'

/** Everything of the outside world that the log may touch. Sockets join when the protocol server does. */
export interface Ports {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
}
