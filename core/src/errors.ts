/** Codes of the errors of `@millrace/core`; docs/errors.md explains each. */
export type LogErrorCode =
  | 'USAGE'
  | 'TOPIC_NOT_FOUND'
  | 'TOPIC_EXISTS'
  | 'TOPIC_NAME_INVALID'
  | 'RECORD_TOO_LARGE'
  | 'RECORD_INVALID'
  | 'OFFSET_OUT_OF_RANGE'
  | 'POSITION_DIVERGED'
  | 'POSITION_MISSING'
  | 'OUT_OF_ORDER_SEQUENCE'
  | 'PRODUCER_FENCED'
  | 'TRANSACTION_STATE'
  | 'GENERATION_FENCED'
  | 'UNAVAILABLE'
  | 'DATA_DIRECTORY_IN_USE'
  | 'READ_ONLY'
  | 'DISK_FULL'
  | 'CORRUPT_DATA'
  | 'FORMAT_TOO_NEW'
  | 'LOG_FAILED'
  | 'CLOSED'

interface MillraceErrorOptions {
  readonly cause?: unknown
  /** Facts for programs: topic, partition, offset, file, position, … Never a secret. */
  readonly facts?: Readonly<Record<string, unknown>>
}

/**
 * Base of every error that Millrace means a caller to handle. Its subclasses say what to do next;
 * `code` names the cause and stays stable; the message says what, where, and the next step.
 */
export class MillraceError extends Error {
  readonly code: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.facts = options.facts ?? {}
  }
}

/** Fix the program or its configuration; nothing happened. */
export class UsageError extends MillraceError {}

/** This record or request was refused and nothing of it happened; others may go on. */
export class RejectedError extends MillraceError {}

/** Try again, later: nothing is wrong with the request. */
export class UnavailableError extends MillraceError {}

/** Somebody newer took over (a producer, a group member, a sink's claim): stop, and do not retry. */
export class FencedError extends MillraceError {}

/** Bytes on the disk are not what was written; look at the file and position named. Nothing was deleted. */
export class CorruptDataError extends MillraceError {}

/** The disk failed and the outcome of unacknowledged writes is unknown; reopen the log to go on. */
export class FailedError extends MillraceError {}

/** It was closed; stop using it. */
export class ClosedError extends MillraceError {}

/** A bug in Millrace, never caught: the process should crash rather than go on with wrong data. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`Millrace has a bug (please report it): ${message}`)
    this.name = 'InvariantError'
  }
}

/** Throws {@link InvariantError} unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
