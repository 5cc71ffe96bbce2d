import { UsageError } from '../errors.ts'
import type { TopicConfig } from '../log.ts'
import {
  damagedFile,
  decodeChecked,
  encodeChecked,
  readSmallFile,
  replaceFile,
} from '../storage/checkpoint.ts'
import type { Disk } from '../storage/disk.ts'
import type { LogMoment } from '../storage/log-clock.ts'
import type { FileSystem } from '../io/index.ts'
import { JOURNAL_TOPIC } from '../transactions/journal.ts'

/** Name of the file that lists the topics of a data directory. */
export const REGISTRY_FILE = 'topics.checkpoint'

/** A topic as it is registered. */
export interface RegisteredTopic {
  readonly topicId: string
  readonly name: string
  readonly internal: boolean
  readonly partitions: number
  readonly config: TopicConfig
}

/** What the registry's file holds. */
export interface Registry {
  /** How often the data directory was opened for writing; the leader epoch of this opening. */
  readonly leaderEpoch: number
  /** As of a log's description; absent before there were any. */
  readonly openings?: readonly string[]
  readonly topics: readonly RegisteredTopic[]
  /** Topics that are gone, but whose files may still be there. */
  readonly deleted: readonly RegisteredTopic[]
  /** When this was written, by the log's own time. */
  readonly moment?: LogMoment
  /**
   * The run of the machine in which the log was last opened and recovered. In a later one watermarks may
   * be older than what is on the disk, and nobody has written since.
   */
  readonly recoveredInBoot?: string
  /** Set by a close: nothing of any partition is unfinished. */
  readonly isClosedInOrder?: boolean
}

/**
 * Reads the registry; `undefined` in a new data directory.
 *
 * @throws CorruptDataError naming the file.
 */
export async function readRegistry(
  fileSystem: FileSystem,
  root: string,
): Promise<Registry | undefined> {
  const path = `${root}/${REGISTRY_FILE}`
  const bytes = await readSmallFile(fileSystem, path)
  if (bytes === undefined) return undefined
  const registry = decodeChecked(bytes, path) as Registry
  if (!Array.isArray(registry.topics)) throw damagedFile(path, 'it lists no topics')
  return registry
}

/** Replaces the registry as a whole; resolves when it is durable. */
export async function writeRegistry(disk: Disk, registry: Registry): Promise<void> {
  await replaceFile(disk, `${disk.directory}/${REGISTRY_FILE}`, encodeChecked(registry))
}

/**
 * Checks a new topic's name by Kafka's rules.
 *
 * @throws UsageError TOPIC_NAME_INVALID, TOPIC_EXISTS.
 */
export function checkTopicName(name: string, existing: Iterable<string>): void {
  const isLegal = /^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'
  if (!isLegal || name === JOURNAL_TOPIC) {
    throw new UsageError(
      'TOPIC_NAME_INVALID',
      `"${name}" cannot be a topic's name: use 1 to 249 of the characters a-z A-Z 0-9 . _ - (not "." or "..", nor "${JOURNAL_TOPIC}").`,
      { facts: { topic: name } },
    )
  }
  for (const other of existing) {
    if (other === name) {
      throw new UsageError(
        'TOPIC_EXISTS',
        `Topic ${name} exists already. Use it as it is, or choose another name.`,
        { facts: { topic: name } },
      )
    }
    if (other.toLowerCase() === name.toLowerCase()) {
      throw new UsageError(
        'TOPIC_NAME_INVALID',
        `Topic "${name}" differs from the existing "${other}" by case alone, which some file systems cannot tell apart. Choose another name.`,
        { facts: { topic: name, existing: other } },
      )
    }
  }
}
