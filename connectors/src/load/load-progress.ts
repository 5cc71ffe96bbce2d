/** How far a load has come. */
export interface LoadProgress {
  /** Rows sent so far, those of earlier runs included. */
  readonly rows: number
  readonly rowsTotal: number | undefined
  /** Bytes of the input read so far, as stored. */
  readonly bytes: number
  readonly bytesTotal: number | undefined
  readonly elapsedMs: number
  /** Of this run. */
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
  /** Undefined while it can't be told. */
  readonly remainingMs: number | undefined
}

const intervalMs = 100

/** Counts what a load has moved, and reports it now and then. */
export class ProgressMeter {
  /** Rows stored or on their way. */
  rows = 0
  #bytes = 0
  #total: { readonly rows?: number; readonly bytes?: number } = {}
  #startedMs = performance.now()
  #reportedMs = 0
  #startRows = 0
  #startBytes: number | undefined
  readonly #report: ((progress: LoadProgress) => void) | undefined

  constructor(report: ((progress: LoadProgress) => void) | undefined) {
    this.#report = report
  }

  start(total: { readonly rows?: number; readonly bytes?: number }, rowsBefore: number): void {
    this.#total = total
    this.rows = rowsBefore
    this.#startRows = rowsBefore
    this.#startedMs = performance.now()
  }

  moved(rows: number, bytesRead: number): void {
    // Bytes before a resume were not read by this run.
    this.#startBytes ??= this.#startRows === 0 ? 0 : bytesRead
    this.rows = rows
    this.#bytes = bytesRead
    const nowMs = performance.now()
    if (nowMs - this.#reportedMs < intervalMs) return
    this.#reportedMs = nowMs
    this.#report?.(this.#progress(nowMs))
  }

  /** Reports the last time; returns the milliseconds since the start. */
  finish(isComplete: boolean): number {
    const nowMs = performance.now()
    if (isComplete) this.#bytes = this.#total.bytes ?? this.#bytes
    this.#startBytes ??= this.#bytes
    this.#report?.(this.#progress(nowMs))
    return nowMs - this.#startedMs
  }

  #progress(nowMs: number): LoadProgress {
    const elapsedMs = nowMs - this.#startedMs
    const seconds = Math.max(elapsedMs, 1) / 1000
    const bytesPerSecond = (this.#bytes - (this.#startBytes ?? 0)) / seconds
    const left = this.#total.bytes === undefined ? undefined : this.#total.bytes - this.#bytes
    return {
      rows: this.rows,
      rowsTotal: this.#total.rows,
      bytes: this.#bytes,
      bytesTotal: this.#total.bytes,
      elapsedMs,
      rowsPerSecond: (this.rows - this.#startRows) / seconds,
      bytesPerSecond,
      remainingMs:
        left === undefined || bytesPerSecond <= 0 ? undefined : (left / bytesPerSecond) * 1000,
    }
  }
}
