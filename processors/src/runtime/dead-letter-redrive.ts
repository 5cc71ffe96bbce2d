import {
  type Header,
  type Log,
  partitionOfKey,
  RejectedError,
  type TopicDescription,
} from '@millrace/core'
import {
  abortSignal,
  anyLog,
  callback,
  checkArgument,
  checkOptions,
  type Checks,
  flag,
  required,
  text,
} from '@millrace/core/options'
import { type DeadLetterEntry, openDeadLetters } from './dead-letter-topic.ts'
import { TransactionalWriter } from './transactional-writer.ts'

/** Why a letter stays where it is. */
export type KeptBack =
  /** It holds what a source or an operator made, which no topic ever held. */
  | 'made'
  /** The topic it came from is no longer there. */
  | 'no-topic'
  /** The run that wrote it died before it passed the record: the next run meets the record itself again. */
  | 'not-passed'
  /** The topic takes no record of this size. */
  | 'too-large'

/** Which letters `redrive` sends, and where to. */
export interface RedriveOptions {
  /** Where to send the records; default: each to the partition that it came from. */
  readonly to?: string | undefined
  /** Which letters to send; default: all. */
  readonly accepts?: (letter: DeadLetterEntry) => boolean
  /** Say what would be done, and do nothing. */
  readonly isDryRun?: boolean
  /** Ends the work softly, between two transactions. */
  readonly signal?: AbortSignal
  readonly onProgress?: (so: RedriveResult) => void
}

/** What a redrive has done, so far or in all. */
export interface RedriveResult {
  /** Records sent, and their letters closed, by topic. */
  readonly sent: Readonly<Record<string, number>>
  readonly kept: Readonly<Partial<Record<KeptBack, number>>>
  readonly isInterrupted: boolean
}

const CHECKS: Checks<RedriveOptions> = {
  to: text,
  accepts: callback,
  isDryRun: flag,
  signal: abortSignal,
  onProgress: callback,
}

// A transaction is large enough to be cheap, and small enough to be interrupted.
const TRANSACTION_BYTES = 4 * 1024 * 1024

/**
 * Sends the records behind dead letters again, with their key, value, headers and time, and closes their
 * letters: both in one transaction, so that a crash at any moment neither loses nor doubles a record.
 *
 * @throws UsageError TOPIC_NOT_FOUND the dead-letter topic, or `to`.
 */
export async function redrive(
  log: Log,
  topic: string,
  options: RedriveOptions = {},
): Promise<RedriveResult> {
  checkArgument('redrive', 'its log', log, required(anyLog))
  checkOptions('redrive', options, CHECKS)
  const topics = new Map((await log.listTopics()).map((each) => [each.name, each]))
  const { to, accepts = () => true, isDryRun = false, signal } = options
  if (to !== undefined) await log.describeTopic(to)
  const gate = new Gate(log, topics, to)
  const tally = new Tally()
  const writer = isDryRun ? undefined : await openWriter(log, topic, [...topics.values()])
  try {
    for await (const letters of openDeadLetters(log, topic)) {
      for (const letter of letters) {
        if (!accepts(letter)) continue
        const reason = await gate.reasonAgainst(letter)
        if (reason !== undefined) tally.keep(reason)
        else send(writer, topic, letter, gate, tally)
        if ((writer?.bytes ?? 0) < TRANSACTION_BYTES) continue
        await writer?.commit([])
        options.onProgress?.(tally.result(false))
        if (signal?.aborted === true) return tally.result(true)
      }
    }
    await writer?.commit([])
    return tally.result(false)
  } catch (error) {
    await writer?.abort().catch(() => {})
    throw error
  }
}

function openWriter(
  log: Log,
  topic: string,
  topics: readonly TopicDescription[],
): Promise<TransactionalWriter> {
  const written = topics.map(({ name, partitions, config }) => {
    const { compression, maxMessageBytes } = config
    return { name, partitions: partitions.length, compression, maxMessageBytes }
  })
  return TransactionalWriter.open(log, `redrive-${topic}`, written)
}

/** Into the open transaction: the record, and the tombstone of its letter. */
function send(
  writer: TransactionalWriter | undefined,
  topic: string,
  letter: DeadLetterEntry,
  gate: Gate,
  tally: Tally,
): void {
  const target = gate.targetOf(letter)
  const { key, value, timestampMs, letterKey, letterPartition } = letter
  try {
    writer?.append(target.topic, target.partition, key, value, timestampMs, redriven(letter))
  } catch (error) {
    if (!(error instanceof RejectedError) || error.code !== 'RECORD_TOO_LARGE') throw error
    return tally.keep('too-large')
  }
  writer?.append(topic, letterPartition, letterKey, null, timestampMs)
  tally.send(target.topic)
}

const redrivenHeader = 'millrace.redriven'
const redrivenFromHeader = 'millrace.redriven-from'

/** How often a record was redriven. */
export function timesRedriven({ headers }: Pick<DeadLetterEntry, 'headers'>): number {
  const value = headers.find(({ key }) => key === redrivenHeader)?.value
  return value === undefined || value === null ? 0 : Number(Buffer.from(value).toString())
}

function redriven(letter: DeadLetterEntry): Header[] {
  const times = String(timesRedriven(letter) + 1)
  return [
    ...letter.headers.filter(({ key }) => key !== redrivenHeader && key !== redrivenFromHeader),
    { key: redrivenHeader, value: Buffer.from(times) },
    { key: redrivenFromHeader, value: Buffer.from(letter.letterKey) },
  ]
}

/** Knows which letters may go, and where to. */
class Gate {
  readonly #log: Log
  readonly #topics: ReadonlyMap<string, TopicDescription>
  readonly #to: string | undefined
  /** How far each group has come, by `group/topic/partition`. */
  readonly #passed = new Map<string, number>()
  readonly #groups = new Set<string>()

  constructor(log: Log, topics: ReadonlyMap<string, TopicDescription>, to: string | undefined) {
    this.#log = log
    this.#topics = topics
    this.#to = to
  }

  async reasonAgainst(letter: DeadLetterEntry): Promise<KeptBack | undefined> {
    if (!letter.isOriginal && this.#to === undefined) return 'made'
    if (this.#to === undefined && !this.#topics.has(letter.origin.topic)) return 'no-topic'
    return (await this.#hasPassed(letter)) ? undefined : 'not-passed'
  }

  targetOf({ origin, key }: DeadLetterEntry): { topic: string; partition: number } {
    const to = this.#to
    if (to === undefined) return origin
    const count = this.#topics.get(to)?.partitions.length ?? 1
    const sourceCount = this.#topics.get(origin.topic)?.partitions.length
    if (count === sourceCount) return { topic: to, partition: origin.partition }
    const partition = key === null ? origin.partition % count : partitionOfKey(key, count)
    return { topic: to, partition }
  }

  async #hasPassed({ group, origin, offset }: DeadLetterEntry): Promise<boolean> {
    if (group === undefined) return true
    if (!this.#groups.has(group)) {
      this.#groups.add(group)
      for (const { topic, partition, position } of await this.#log.readPositions(group)) {
        this.#passed.set(`${group}/${topic}/${partition}`, position.offset)
      }
    }
    return offset < (this.#passed.get(`${group}/${origin.topic}/${origin.partition}`) ?? 0)
  }
}

class Tally {
  readonly #sent: Record<string, number> = {}
  readonly #kept: Partial<Record<KeptBack, number>> = {}

  send(topic: string): void {
    this.#sent[topic] = (this.#sent[topic] ?? 0) + 1
  }

  keep(reason: KeptBack): void {
    this.#kept[reason] = (this.#kept[reason] ?? 0) + 1
  }

  result(isInterrupted: boolean): RedriveResult {
    return { sent: { ...this.#sent }, kept: { ...this.#kept }, isInterrupted }
  }
}
