import { ClosedError, UsageError } from '../errors.ts'
import type { Clock, Ports, Timer } from '../io/index.ts'
import type {
  FetchRequest,
  FetchResult,
  FindOffsetRequest,
  GroupDescription,
  Log,
  LogDescription,
  StoredPosition,
  TopicDescription,
} from '../log.ts'
import type { Position } from '../record.ts'
import { explained } from '../storage/explained-file-system.ts'
import { readMeta } from './data-directory.ts'
import { fetch } from './fetch.ts'
import { findOffset } from './find-offset.ts'
import { ReadOnlyTopics } from './read-only-topics.ts'

/** How often the disk is looked at while somebody waits for more. */
const POLL_MS = 50

/**
 * Opens a data directory that another process may own, for reading only.
 *
 * @throws UsageError USAGE when there is no log; CorruptDataError FORMAT_TOO_NEW, CORRUPT_DATA.
 */
export async function openReadOnly(directory: string, ports: Ports): Promise<Log> {
  const fileSystem = explained(ports.fileSystem)
  const meta = await readMeta(fileSystem, directory)
  if (meta === undefined) {
    throw new UsageError(
      'USAGE',
      `There is no log in ${directory} to read. Give another directory, or open it for writing once to make one.`,
      { facts: { directory } },
    )
  }
  const topics = new ReadOnlyTopics({ fileSystem, clock: ports.clock }, directory, meta.logId)
  await topics.refresh()
  return new ReadOnlyLog(topics, ports.clock, { logId: meta.logId, url: directory })
}

/** A log that another process may own: it shows what that process has made visible, and refuses writes. */
class ReadOnlyLog implements Log {
  readonly #topics: ReadOnlyTopics
  readonly #clock: Clock
  readonly #identity: { readonly logId: string; readonly url: string }
  #poll: Timer | undefined
  #isClosed = false

  readonly #refuse = async (): Promise<never> => {
    throw new UsageError(
      'READ_ONLY',
      `The log ${this.#identity.url} was opened with access "read-only"; nothing was changed. Open it with "read-write".`,
      { facts: { url: this.#identity.url } },
    )
  }
  readonly createTopic = this.#refuse
  readonly alterTopic = this.#refuse
  readonly addPartitions = this.#refuse
  readonly deleteTopic = this.#refuse
  readonly append = this.#refuse
  readonly trim = this.#refuse
  readonly initProducer = this.#refuse
  readonly endTransaction = this.#refuse
  readonly commitPositions = this.#refuse
  readonly joinGroup = this.#refuse
  readonly syncGroup = this.#refuse
  readonly heartbeat = this.#refuse
  readonly leaveGroup = this.#refuse

  constructor(topics: ReadOnlyTopics, clock: Clock, identity: { logId: string; url: string }) {
    this.#topics = topics
    this.#clock = clock
    this.#identity = identity
  }

  async describe(): Promise<LogDescription> {
    await this.#refresh()
    const damaged = this.#topics.partitions
      .map(({ log }) => log.damage)
      .filter((damage) => damage !== undefined)
    return { ...this.#identity, access: 'read-only', damaged }
  }

  async describeTopic(name: string): Promise<TopicDescription> {
    await this.#refresh()
    return this.#topics.describe(name)
  }

  async listTopics(): Promise<TopicDescription[]> {
    await this.#refresh()
    return this.#topics.list()
  }

  async fetch(request: FetchRequest): Promise<FetchResult> {
    await this.#refresh()
    const isClosed = (): boolean => this.#isClosed
    const context = {
      clock: this.#clock,
      find: (place: { topic: string; partition: number }) => {
        this.#keepPolling()
        return this.#topics.find(place)
      },
      get isClosed() {
        return isClosed()
      },
    }
    return fetch(context, request)
  }

  async findOffset(request: FindOffsetRequest): Promise<Position> {
    await this.#refresh()
    return findOffset(this.#topics.find(request).log, request)
  }

  async readPositions(group: string): Promise<StoredPosition[]> {
    await this.#refresh()
    return this.#topics.journalState.positionsOf(group)
  }

  async listGroups(): Promise<GroupDescription[]> {
    await this.#refresh()
    return this.#topics.journalState.groups.map((group) => this.#describeGroup(group))
  }

  async describeGroup(group: string): Promise<GroupDescription> {
    await this.#refresh()
    return this.#describeGroup(group)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#poll?.cancel()
    await this.#topics.close()
  }

  /** Who is a member is known to the owner alone. */
  #describeGroup(group: string): GroupDescription {
    const positions = this.#topics.journalState.positionsOf(group)
    return { group, state: 'Empty', protocol: '', members: [], positions }
  }

  async #refresh(): Promise<void> {
    if (this.#isClosed) {
      throw new ClosedError('CLOSED', `The log ${this.#identity.url} was closed.`)
    }
    await this.#topics.refresh()
  }

  /** Looks at the disk from time to time while somebody waits, and no longer. */
  #keepPolling(): void {
    if (this.#poll !== undefined || this.#isClosed) return
    this.#poll = this.#clock.schedule(POLL_MS, () => {
      this.#poll = undefined
      if (!this.#topics.partitions.some((partition) => partition.isWatched)) return
      void this.#topics
        .refresh()
        .catch(() => {
          // The next call of whoever waits meets the same error.
        })
        .finally(() => this.#keepPolling())
    })
  }
}
