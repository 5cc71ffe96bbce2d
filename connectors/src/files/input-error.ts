import { CorruptDataError, RejectedError, UsageError } from '@millrace/core'

/** Where in an input file something is wrong. */
export interface InputPlace {
  readonly path: string
  /** Line as an editor counts, from 1. */
  readonly line: number
  /** Bytes from the start of the file, after decompression. */
  readonly byte: number
}

/** A file that can't be opened or isn't what it was said to be. */
export function unreadable(
  path: string,
  reason: string,
  next: string,
  cause?: unknown,
): UsageError {
  return new UsageError('INPUT_UNREADABLE', `${path}: ${reason}. ${next}`, {
    cause,
    facts: { file: path },
  })
}

/** A record that breaks the format's rules, or doesn't fit its column. */
export function malformed(place: InputPlace, reason: string, next: string): RejectedError {
  const { path, line, byte } = place
  return new RejectedError(
    'INPUT_MALFORMED',
    `${path}, line ${line} (byte ${byte}): ${reason}. ${next}`,
    { facts: { file: path, line, byte } },
  )
}

/** A compressed or binary file whose bytes contradict themselves, such as one cut short. */
export function damaged(
  path: string,
  byte: number,
  reason: string,
  cause: unknown,
): CorruptDataError {
  return new CorruptDataError(
    'INPUT_DAMAGED',
    `${path}, byte ${byte}: ${reason}. The file is damaged or was cut short; fetch it again.`,
    { cause, facts: { file: path, byte } },
  )
}

/** Turns what `open` and `stat` reject with into an error that says what to do. */
export function openFailed(path: string, error: unknown): UsageError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return unreadable(path, 'no such file', 'Check the path.', error)
  if (code === 'EACCES' || code === 'EPERM') {
    return unreadable(path, 'no permission to read it', 'Check its owner and mode.', error)
  }
  const reason = error instanceof Error ? error.message : String(error)
  return unreadable(path, `cannot be opened (${reason})`, 'Check the path.', error)
}
