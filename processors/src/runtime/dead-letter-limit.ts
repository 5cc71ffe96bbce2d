import { RejectedError } from '@millrace/core'
import { deadLetterTopic, type DeadLetterRecord } from './dead-letter.ts'
import type { StageCounters } from './progress.ts'
import type { RunContext } from './stage-context.ts'

/** When so many records came and not one of them passed, it is hardly the records' fault. */
const ALL_REFUSED_MIN = 1000

type Example = Pick<DeadLetterRecord, 'at' | 'code' | 'cause'>

/** Watches the dead letters of a stage: says when they begin, and ends the run when there are too many. */
export class DeadLetterLimit {
  readonly #context: Pick<RunContext, 'plan' | 'deadLettersMax' | 'notice'>
  readonly #counters: StageCounters
  #example: Example | undefined
  #hasSaidAll = false

  constructor(
    context: Pick<RunContext, 'plan' | 'deadLettersMax' | 'notice'>,
    counters: StageCounters,
  ) {
    this.#context = context
    this.#counters = counters
  }

  /**
   * Before letters are written.
   *
   * @throws RejectedError TOO_MANY_DEAD_LETTERS: nothing of their epoch is committed.
   */
  expectRoom(more: number, example: Example): void {
    const { plan, deadLettersMax, notice } = this.#context
    const { at, code, cause } = example
    const topic = deadLetterTopic(plan.pipeline)
    if (this.#counters.deadLetters + more > deadLettersMax) {
      throw new RejectedError(
        'TOO_MANY_DEAD_LETTERS',
        `${at}: more than ${deadLettersMax} dead letters, the most that this run was allowed. The last: ` +
          `${cause} (${code}) What was committed before stays so, and the next run goes on from there. ` +
          `Look at them: millrace dlq list. Then correct what refuses the records, or allow more of them ` +
          `(--max-dead-letters, deadLettersMax).`,
        { facts: { at, code, cause, topic, deadLettersMax } },
      )
    }
    if (this.#example === undefined) {
      notice(
        `${at}: a record went to ${topic}: ${cause} (${code}) Others may follow: millrace dlq list`,
      )
    }
    this.#example ??= example
  }

  /** After a commit. */
  committed(): void {
    const { rows, deadLetters } = this.#counters
    const example = this.#example
    if (this.#hasSaidAll || example === undefined) return
    if (rows < ALL_REFUSED_MIN || deadLetters < rows) return
    this.#hasSaidAll = true
    this.#context.notice(
      `${example.at}: not one of ${rows} records has passed, all went to the dead letters: ${example.cause} ` +
        `(${example.code}) Is it the right table, or the right topic? Ctrl-C stops the run; ` +
        `--max-dead-letters N would have.`,
    )
  }
}
