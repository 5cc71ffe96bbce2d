import { RejectedError } from '@millrace/core'
import type { ProducedRecord } from './record-json.ts'

/** Chunks of lines on their way into the log, so that one sync serves many. */
const chunksUnderWayMax = 32

/** What a record of an input is called. */
export type InputUnit = 'line' | 'record'

/** @throws RejectedError before anything is sent that could not pass, so that what is in stays a whole beginning. */
export function expectRoom(
  { topic, key, value }: ProducedRecord & { readonly topic: string },
  unit: InputUnit,
  number: number,
  maxMessageBytes: number,
): void {
  const bytes = (key?.length ?? 0) + (value?.length ?? 0)
  if (bytes <= maxMessageBytes) return
  throw new RejectedError(
    'RECORD_TOO_LARGE',
    `${capitalized(unit)} ${number} of standard input: ${bytes} bytes are more than topic ${topic} takes. ` +
      `Shorten it, or raise the limit: millrace topic alter ${topic} -c maxMessageBytes=${bytes + 1024}.`,
  )
}

/** Lines (or records) on their way into a topic, in order; says which are in when one fails. */
export class SentLines {
  readonly #unit: InputUnit
  #count = 0
  /** Leading lines that are known to be in the topic. */
  #acknowledged = 0
  readonly #chunks: (readonly PromiseLike<unknown>[])[] = []

  constructor(unit: InputUnit) {
    this.#unit = unit
  }

  /** Lines sent. */
  get count(): number {
    return this.#count
  }

  /** Takes the acknowledgements of lines that were sent together. */
  add(chunk: readonly PromiseLike<unknown>[]): void {
    this.#count += chunk.length
    this.#chunks.push(chunk)
    // They are awaited later; until then a failure is nobody's.
    Promise.all(chunk).catch(() => {})
  }

  /** Waits until few enough are under way. @throws the failure of the first line that failed. */
  async room(chunksMax = chunksUnderWayMax): Promise<void> {
    for (let oldest = this.#chunks[0]; oldest !== undefined; oldest = this.#chunks[0]) {
      if (this.#chunks.length <= chunksMax) return
      await Promise.all(oldest)
      this.#chunks.shift()
      this.#acknowledged += oldest.length
    }
  }

  /** Waits for all that are under way, and adds to the first failure which lines are in. */
  async explain(thrown: unknown): Promise<unknown> {
    const results = await Promise.allSettled(this.#chunks.flat())
    const failed = results.findIndex(({ status }) => status === 'rejected')
    const before = this.#acknowledged + (failed < 0 ? results.length : failed)
    const after = results.slice(failed < 0 ? results.length : failed)
    const error = after[0]?.status === 'rejected' ? (after[0].reason as unknown) : thrown
    if (!(error instanceof Error)) return error
    const isOfLine = failed >= 0 && error instanceof RejectedError
    const place = isOfLine ? `${capitalized(this.#unit)} ${before + 1} of standard input: ` : ''
    const others = after.filter(({ status }) => status === 'fulfilled').length
    error.message = `${place}${error.message} ${whatIsIn(this.#unit, before, others)}`
    return error
  }
}

function whatIsIn(unit: InputUnit, before: number, others: number): string {
  if (before === 0 && others === 0) return `No ${unit} was appended.`
  const name = capitalized(unit)
  const those = before === 1 ? `${name} 1 was` : `${name}s 1 to ${before} were`
  const first = before === 0 ? `${name} 1 was not` : those
  if (others > 0) return `${first} appended, and ${others} of the ${unit}s after the next.`
  return `${first} appended, and nothing after: go on with ${unit} ${before + 1}.`
}

function capitalized(unit: InputUnit): string {
  return unit === 'line' ? 'Line' : 'Record'
}
