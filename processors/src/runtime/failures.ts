import { MillraceError, RejectedError, type TopicPartition } from '@millrace/core'
import { bytesOfValue, type DeadLetterRecord, type OriginalRecord } from './dead-letter.ts'
import type { DeadLetterLimit } from './dead-letter-limit.ts'
import type { ErrorPolicy } from './options.ts'
import type { StageCounters } from './progress.ts'

/** A record that could not be read, that a callback threw on, or that cannot be written. */
export interface Failure {
  /** The topic's value format, the operator, or the output. */
  readonly at: string
  /** What happened there, such as `cannot be read as json`. */
  readonly what: string
  readonly error: unknown
  readonly origin: TopicPartition
  readonly offset: number
  readonly timestampMs: number
  /** The record as it was read, while it is at hand; asked for only when it is kept. */
  readonly original: () => OriginalRecord | undefined
  /** Kept where the record itself is not at hand: what a source or an operator made. */
  readonly made?: unknown
}

/** What messages say of a record that failed. */
export type RefusedRecord = Pick<Failure, 'at' | 'what' | 'error' | 'origin' | 'offset'>

/** What a stage does with records that fail: the pipeline's policy, counted and reported. */
export class Failures {
  readonly #policy: ErrorPolicy
  readonly #counters: StageCounters
  readonly #limit: DeadLetterLimit
  readonly #keep: (letter: DeadLetterRecord) => void
  readonly #placeOf: (failure: RefusedRecord) => string

  /**
   * @param keep takes a dead letter into what is made durable before, or with, the commit that passes it.
   * @param placeOf how messages call the record's place.
   */
  constructor(
    policy: ErrorPolicy,
    counters: StageCounters,
    limit: DeadLetterLimit,
    keep: (letter: DeadLetterRecord) => void,
    placeOf = placeInTopic,
  ) {
    this.#policy = policy
    this.#counters = counters
    this.#limit = limit
    this.#keep = keep
    this.#placeOf = placeOf
  }

  /** @throws RejectedError under the policy `fail`, or when there are too many; the epoch is then aborted and nothing of it happened. */
  handle(failure: Failure): void {
    if (this.#policy === 'fail') throw failed(failure, this.#placeOf(failure))
    this.#counters.skipped++
    if (this.#policy === 'skip') return
    const letter = letterOf(failure)
    this.#limit.expectRoom(1, letter)
    this.#counters.deadLetters++
    this.#keep(letter)
  }
}

function letterOf(failure: Failure): DeadLetterRecord {
  const { at, error, origin, offset, timestampMs } = failure
  const original = failure.original()
  const made = { key: null, value: bytesOfValue(failure.made), headers: [] }
  return {
    at,
    origin,
    offset,
    timestampMs,
    code: codeOf(error),
    cause: messageOf(error),
    ...inputPlace(error),
    isOriginal: original !== undefined,
    ...(original ?? made),
  }
}

/** A record of a topic. */
function placeInTopic({ origin, offset }: RefusedRecord): string {
  return `the record ${origin.topic}[${origin.partition}]@${offset}`
}

/** Where in a file the record stands, of an error that says so. */
function inputPlace(error: unknown): Pick<DeadLetterRecord, 'file' | 'line' | 'byte'> {
  const { file, line, byte } = error instanceof MillraceError ? error.facts : {}
  return {
    file: typeof file === 'string' ? file : undefined,
    line: typeof line === 'number' ? line : undefined,
    byte: typeof byte === 'number' ? byte : undefined,
  }
}

/** A row of a source, counted from 1. */
export function placeInSource({ origin, offset }: RefusedRecord): string {
  return `row ${offset + 1} of ${origin.topic}`
}

/** The error that ends a run under the policy `fail`. */
export function failed(record: RefusedRecord, place = placeInTopic(record)): RejectedError {
  const { at, what, error, origin, offset } = record
  const message =
    `${at}: ${place} ${what}: ${messageOf(error)} Nothing of it was committed. ` +
    `Correct the pipeline or the record; or pass over such records with onError 'dead-letter' or 'skip' ` +
    `(--on-error).`
  const facts = error instanceof MillraceError ? error.facts : {}
  return new RejectedError(codeOf(error), message, {
    cause: error,
    facts: { ...facts, ...origin, offset, at },
  })
}

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : 'CALLBACK_FAILED'
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /[.!?]$/.test(message) ? message : `${message}.`
}
