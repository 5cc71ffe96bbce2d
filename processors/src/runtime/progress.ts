import type { Clock, Timer } from '@millrace/core/io'

/** Where a run stands. */
export interface Progress {
  readonly pipeline: string
  readonly elapsedMs: number
  /** Upstream first. */
  readonly stages: readonly StageProgress[]
}

/** `restoring` reads changelogs; `waiting` has nothing to read now; `ended` has passed its input's end. */
export type StageState = 'starting' | 'restoring' | 'running' | 'waiting' | 'ended'

/** Where a stage stands. Rows, bytes and skipped records are those of this run. */
export interface StageProgress {
  readonly id: string
  readonly kind: 'ingest' | 'process' | 'deliver'
  readonly state: StageState
  /** Records taken from the stage's input and committed. */
  readonly rows: number
  /** Bytes of input committed: of the file for a source, of record batches for a topic. */
  readonly bytes: number
  /** Of records taken; while the stage restores, of records read back. */
  readonly rowsPerSecond: number
  /** Where the stage starts in a source, by an earlier run. */
  readonly rowsBefore: number
  /** Records still to read, as far as is known; for topics their lag in offsets. */
  readonly rowsLeft: number | undefined
  readonly bytesTotal: number | undefined
  /** Records too late for their window, since the pipeline's first run. */
  readonly late: number
  /** Records without the key that a step needs, since the pipeline's first run. */
  readonly withoutKey: number
  readonly skipped: number
  readonly deadLetters: number
  /** Changelog records read back at the start. */
  readonly restored: number
  /** Changelog records still to read back, about. */
  readonly restoreLeft: number
}

/** The counters of one stage; the stage writes, {@link ProgressReporter} reads. */
export class StageCounters {
  readonly id: string
  readonly kind: StageProgress['kind']
  state: StageState = 'starting'
  rows = 0
  bytes = 0
  rowsBefore = 0
  rowsLeft: number | undefined
  bytesTotal: number | undefined
  late = 0
  withoutKey = 0
  skipped = 0
  deadLetters = 0
  restored = 0
  restoreLeft = 0

  constructor(id: string, kind: StageProgress['kind']) {
    this.id = id
    this.kind = kind
  }

  snapshot(rowsPerSecond: number): StageProgress {
    const { id, kind, state, rows, bytes, rowsBefore, rowsLeft, bytesTotal } = this
    const { late, withoutKey, skipped, deadLetters, restored, restoreLeft } = this
    const input = { rows, bytes, rowsPerSecond, rowsBefore, rowsLeft, bytesTotal }
    const troubles = { late, withoutKey, skipped, deadLetters }
    return { id, kind, state, ...input, ...troubles, restored, restoreLeft }
  }
}

const REPORT_EVERY_MS = 250
// Speed is that of about the last second, so that it follows changes without jitter.
const SMOOTHING = 0.25

/** Calls back with snapshots of all stages while a run goes on. */
export class ProgressReporter {
  readonly #pipeline: string
  readonly #stages: readonly StageCounters[]
  readonly #clock: Clock
  readonly #startMs: number
  readonly #report: ((progress: Progress) => void) | undefined
  readonly #speeds: number[]
  readonly #rowsBefore: number[]
  #lastMs: number
  #timer: Timer | undefined

  constructor(
    pipeline: string,
    stages: readonly StageCounters[],
    clock: Clock,
    report: ((progress: Progress) => void) | undefined,
  ) {
    this.#pipeline = pipeline
    this.#stages = stages
    this.#clock = clock
    this.#report = report
    this.#startMs = this.#lastMs = clock.monotonicMs()
    this.#speeds = stages.map(() => 0)
    this.#rowsBefore = stages.map(() => 0)
    if (report !== undefined) this.#schedule()
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startMs
  }

  /** The last snapshot; speeds are those of the whole run. */
  end(): readonly StageProgress[] {
    this.#timer?.cancel()
    const seconds = Math.max(this.elapsedMs, 1) / 1000
    const stages = this.#stages.map((stage) => stage.snapshot(stage.rows / seconds))
    this.#report?.({ pipeline: this.#pipeline, elapsedMs: this.elapsedMs, stages })
    return stages
  }

  #schedule(): void {
    this.#timer = this.#clock.schedule(REPORT_EVERY_MS, () => {
      this.#schedule()
      this.#tick()
    })
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs()
    const seconds = Math.max(nowMs - this.#lastMs, 1) / 1000
    this.#lastMs = nowMs
    const stages = this.#stages.map((stage, index) => {
      const done = stage.rows + stage.restored
      const speed = (done - (this.#rowsBefore[index] ?? 0)) / seconds
      const smoothed = (this.#speeds[index] ?? 0) * (1 - SMOOTHING) + speed * SMOOTHING
      this.#speeds[index] = smoothed
      this.#rowsBefore[index] = done
      return stage.snapshot(smoothed)
    })
    this.#report?.({ pipeline: this.#pipeline, elapsedMs: this.elapsedMs, stages })
  }
}
