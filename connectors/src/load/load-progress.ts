/** How far a load has come. */
export interface LoadProgress {
  /** Rows stored so far, those of earlier runs included. */
  readonly rows: number
  readonly rowsTotal: number | undefined
  /** Records refused and kept elsewhere, those of earlier runs included. */
  readonly rejected: number
  /** Bytes of the input stored so far, as they are in the files. */
  readonly bytes: number
  readonly bytesTotal: number | undefined
  /** Files, and those of them that are done. */
  readonly files: number
  readonly filesDone: number
  readonly elapsedMs: number
  /** Of this run. */
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
  /** Undefined while it can't be told. */
  readonly remainingMs: number | undefined
}

/** What there is to be done, as far as it is known. */
export interface LoadTotal {
  readonly rows?: number
  readonly bytes?: number
  readonly files?: number
}

const intervalMs = 100

/** Counts what a load has moved, and reports it now and then. */
export class ProgressMeter {
  rows = 0
  rejected = 0
  bytes = 0
  filesDone = 0
  #total: LoadTotal = {}
  #startedMs = performance.now()
  #reportedMs = 0
  /** Of earlier runs. */
  #rowsBefore = 0
  #bytesBefore = 0
  readonly #report: ((progress: LoadProgress) => void) | undefined

  constructor(report: ((progress: LoadProgress) => void) | undefined) {
    this.#report = report
  }

  start(total: LoadTotal): void {
    this.#total = total
    this.#startedMs = performance.now()
  }

  /** Counts what earlier runs had done. */
  resumed(rows: number, rejected: number, bytes: number): void {
    this.#rowsBefore += rows
    this.#bytesBefore += bytes
    this.rejected += rejected
    this.rows += rows
    this.bytes += bytes
  }

  moved(rows: number, bytes: number): void {
    this.rows += rows
    this.bytes += bytes
    const nowMs = performance.now()
    if (nowMs - this.#reportedMs < intervalMs) return
    this.#reportedMs = nowMs
    this.#report?.(this.#progress(nowMs))
  }

  /** Reports the last time; returns the milliseconds since the start. */
  finish(isComplete: boolean): number {
    const nowMs = performance.now()
    if (isComplete) this.bytes = this.#total.bytes ?? this.bytes
    this.#report?.(this.#progress(nowMs))
    return nowMs - this.#startedMs
  }

  #progress(nowMs: number): LoadProgress {
    const elapsedMs = nowMs - this.#startedMs
    const seconds = Math.max(elapsedMs, 1) / 1000
    const bytesPerSecond = Math.max(0, this.bytes - this.#bytesBefore) / seconds
    const rowsPerSecond = (this.rows - this.#rowsBefore) / seconds
    const left = leftOf(this.#total.bytes, this.bytes) ?? leftOf(this.#total.rows, this.rows)
    const rate = this.#total.bytes === undefined ? rowsPerSecond : bytesPerSecond
    const remainingMs = left === undefined || rate <= 0 ? undefined : (left / rate) * 1000
    return {
      rows: this.rows,
      rowsTotal: this.#total.rows,
      rejected: this.rejected,
      bytes: this.bytes,
      bytesTotal: this.#total.bytes,
      files: this.#total.files ?? 1,
      filesDone: this.filesDone,
      elapsedMs,
      rowsPerSecond,
      bytesPerSecond,
      remainingMs: left === 0 ? 0 : remainingMs,
    }
  }
}

/** An estimated total may be passed. */
function leftOf(total: number | undefined, done: number): number | undefined {
  return total === undefined ? undefined : Math.max(0, total - done)
}
