import { FencedError, UnavailableError, UsageError } from '@millrace/core'

/** Whose rows a fence guards. */
export interface FenceKey {
  readonly pipeline: string
  readonly sink: string
  readonly task: string
  /** Identity of the log that positions point into. */
  readonly logId: string
  /** Of that log, the latest last; none where nothing can be copied. */
  readonly openings: readonly string[]
}

/** What goes wrong with a fence, in words that say what to do next. */
export class FenceErrors {
  readonly #key: FenceKey
  /** The fence's table and all tasks of the sink in it, as in SQL. */
  readonly #table: string
  readonly #whereSink: string

  constructor(key: FenceKey, table: string, whereSink: string) {
    this.#key = key
    this.#table = table
    this.#whereSink = whereSink
  }

  fenced(): FencedError {
    return new FencedError(
      'SINK_FENCED',
      `Another process took over ${this.#what()}; nothing of this batch was written.`,
      { facts: { ...this.#facts } },
    )
  }

  /** An error for a table that was dropped since the position was stored. */
  tableReplaced(label: string): UsageError {
    return new UsageError(
      'TABLE_REPLACED',
      `The table "${label}" is not the one that ${this.#what()} has filled: that one was dropped, ` +
        'and this one is new and empty. Going on would leave out all rows of before. To fill it from ' +
        `the start: DELETE FROM ${this.#table} WHERE ${this.#whereSink}; to go on with what comes ` +
        `next: UPDATE ${this.#table} SET table_oid = NULL WHERE ${this.#whereSink};`,
      { facts: { ...this.#facts, table: label } },
    )
  }

  wentBack(): UnavailableError {
    return new UnavailableError(
      'SINK_WENT_BACK',
      `The database no longer has all that it confirmed for ${this.#what()}: it was restored, or a ` +
        'replica that was behind has taken over. Rows and position went back together, and nothing ' +
        'of this batch was written. Run the same again: it goes on from where the database stands now.',
      { facts: { ...this.#facts } },
    )
  }

  stillHeld(cause: unknown): UnavailableError {
    return new UnavailableError(
      'UNAVAILABLE',
      `The previous owner of ${this.#what()} keeps its row in ${this.#table} locked. ` +
        'Stop that process, or end its session with pg_terminate_backend.',
      { cause, facts: { ...this.#facts } },
    )
  }

  copiedLog(): UsageError {
    return new UsageError(
      'SINK_OF_ANOTHER_LOG',
      `This log is a copy (or an older state) of the one that has written ${this.#what()}: since they ` +
        "parted, both may hold other records under the same offsets, and one position can't stand for " +
        'both. Nothing was touched. Go on with that log; or start over with this one: empty the table ' +
        `that it wrote, and DELETE FROM ${this.#table} WHERE ${this.#whereSink};`,
      { facts: { ...this.#facts, opening: this.#key.openings.at(-1) } },
    )
  }

  otherLog(): UsageError {
    return new UsageError(
      'SINK_OF_ANOTHER_LOG',
      `The database holds a position of ${this.#what()} that belongs to another log (or another ` +
        `input) than this one. Go on with that log; or start over: empty the table it wrote, and ` +
        `DELETE FROM ${this.#table} WHERE ${this.#whereSink};`,
      { facts: { ...this.#facts } },
    )
  }

  get #facts(): Readonly<Record<string, string>> {
    const { pipeline, sink, task, logId } = this.#key
    return { pipeline, sink, task, logId }
  }

  #what(): string {
    const { pipeline, sink, task } = this.#key
    return `task ${task} of "${sink}" in pipeline "${pipeline}"`
  }
}
