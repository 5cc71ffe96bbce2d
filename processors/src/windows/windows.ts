import { UsageError } from '@millrace/core'
import { anything, type Checks, expecting, required } from '@millrace/core/options'
import { checkDescription } from '../check-description.ts'
import { type Duration, durationMs, durationText } from './duration.ts'

/**
 * Windows of a fixed size that begin every `advanceMs` since 1970; window [start, start + size).
 * Session and sliding windows will be other kinds.
 */
export interface TimeWindows {
  readonly kind: 'tumbling' | 'hopping'
  readonly sizeMs: number
  readonly advanceMs: number
  /** How far stream time may run past a window's end before the window closes. */
  readonly graceMs: number
}

/** What all kinds of windows can be told. */
export interface WindowOptions {
  /** How late a record may come, in event time; 0 unless given. Later ones are counted, not used. */
  readonly grace?: Duration
}

type HoppingOptions = WindowOptions & { readonly advance: Duration }

// Whether it is a duration, `durationMs` says, and what was probably meant.
const CHECKS: Checks<WindowOptions> = { grace: anything }
const HOPPING: Checks<HoppingOptions> = {
  grace: anything,
  advance: required(expecting("a duration, such as '1m'", () => true)),
}

/**
 * Windows that follow each other without overlap, aligned to 1970 UTC.
 *
 * @throws UsageError for a size of zero or a duration that is none.
 */
export function tumbling(size: Duration, options: WindowOptions = {}): TimeWindows {
  checkDescription('tumbling', options, CHECKS)
  return timeWindows('tumbling', size, size, options)
}

/**
 * Windows of `size` that begin every `advance`: a record belongs to up to ⌈size / advance⌉ of them.
 *
 * @throws UsageError unless 0 < advance ≤ size.
 */
export function hopping(size: Duration, options: HoppingOptions): TimeWindows {
  checkDescription('hopping', options, HOPPING)
  return timeWindows('hopping', size, options.advance, options)
}

function timeWindows(
  kind: TimeWindows['kind'],
  size: Duration,
  advance: Duration,
  options: WindowOptions,
): TimeWindows {
  const sizeMs = durationMs(size)
  const advanceMs = durationMs(advance)
  if (sizeMs === 0) {
    throw new UsageError(
      'PIPELINE_INVALID',
      `${kind}('${size}') has no length; give a size such as '1h'.`,
    )
  }
  if (advanceMs === 0 || advanceMs > sizeMs) {
    throw new UsageError(
      'PIPELINE_INVALID',
      `hopping('${size}') advances by ${advance}, but must advance by more than zero and at most its ` +
        `size, else records would fall between windows.`,
    )
  }
  return { kind, sizeMs, advanceMs, graceMs: durationMs(options.grace ?? '0s') }
}

/** Start of the first window that holds `timestampMs`; the others follow every `advanceMs` up to the timestamp. */
export function firstWindowStart(windows: TimeWindows, timestampMs: number): number {
  const { sizeMs, advanceMs } = windows
  return Math.floor(Math.max(0, timestampMs - sizeMs + advanceMs) / advanceMs) * advanceMs
}

/** Whether a window takes no more records, and so its result is final. */
export function isClosed(windows: TimeWindows, startMs: number, streamTimeMs: number): boolean {
  return startMs + windows.sizeMs <= streamTimeMs - windows.graceMs
}

/** Such as `tumbling 1h, grace 10m`. */
export function windowsText(windows: TimeWindows): string {
  const advance = windows.kind === 'hopping' ? `, advance ${durationText(windows.advanceMs)}` : ''
  return `${windows.kind} ${durationText(windows.sizeMs)}${advance}, grace ${durationText(windows.graceMs)}`
}
