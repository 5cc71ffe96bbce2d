import { MillraceError, UsageError } from '../errors.ts'
import { nodePorts } from '../io/index.ts'
import type { FileSystem, Ports } from '../io/index.ts'
import { explained } from '../storage/explained-file-system.ts'
import { partitionPath } from '../storage/partition-directory.ts'
import { verifyPartition } from '../storage/verify-partition.ts'
import type { LogFault, VerifyCounts } from '../storage/verify-partition.ts'
import { JOURNAL_TOPIC } from '../transactions/journal.ts'
import { readMeta } from './data-directory.ts'
import { readRegistry } from './topic-registry.ts'

/** What {@link verifyLog} found. */
export interface LogVerification extends VerifyCounts {
  readonly partitions: number
  /** Empty when every byte is as it was written. */
  readonly faults: readonly LogFault[]
}

/**
 * Reads every byte of a data directory and names file and position of each fault. It changes nothing,
 * needs no lock, and may run beside the owner: what is just being written is not judged.
 *
 * @throws UsageError USAGE when there is no log.
 */
export async function verifyLog(
  directory: string,
  options: { readonly ports?: Ports } = {},
): Promise<LogVerification> {
  const { fileSystem } = options.ports ?? nodePorts
  const verification = new Verification(explained(fileSystem), directory)
  await verification.run()
  return verification.result
}

class Verification {
  readonly result = { partitions: 0, segments: 0, batches: 0, bytes: 0, faults: [] as LogFault[] }
  readonly #fileSystem: FileSystem
  readonly #directory: string

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  async run(): Promise<void> {
    const directory = this.#directory
    const meta = await this.#check(() => readMeta(this.#fileSystem, directory))
    const registry = await this.#check(() => readRegistry(this.#fileSystem, directory))
    if (this.result.faults.length === 0 && meta === undefined) {
      throw new UsageError('USAGE', `There is no log in ${directory} to verify.`, {
        facts: { directory },
      })
    }
    if (meta !== undefined) await this.#verify(JOURNAL_TOPIC, 0, meta.logId, 'fsync')
    for (const topic of registry?.topics ?? []) {
      for (let partition = 0; partition < topic.partitions; partition++) {
        await this.#verify(topic.name, partition, topic.topicId, topic.config.durability)
      }
    }
  }

  async #verify(
    topic: string,
    partition: number,
    topicId: string,
    durability: 'memory' | 'os' | 'fsync',
  ): Promise<void> {
    const path = partitionPath(this.#directory, { topic, partition })
    const found = await this.#check(() =>
      verifyPartition(this.#fileSystem, { topicId, topic, partition, directory: path, durability }),
    )
    if (found === undefined) return
    this.result.partitions++
    this.result.segments += found.segments
    this.result.batches += found.batches
    this.result.bytes += found.bytes
    this.result.faults.push(...found.faults)
  }

  /** Runs a check whose own failure is a fault of the file that it names. */
  async #check<Result>(run: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      const { file, position, fault } = error.facts
      this.result.faults.push({
        file: typeof file === 'string' ? file : this.#directory,
        position: typeof position === 'number' ? position : 0,
        kind: 'corruption',
        reason: typeof fault === 'string' ? fault : error.message,
      })
      return undefined
    }
  }
}
