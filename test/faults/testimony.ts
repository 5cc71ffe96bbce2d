import type { Statement } from './witness.ts'

/** A record that a life has appended, or has tried to. */
export interface ToldRecord {
  readonly topic: string
  readonly partition: number
  readonly name: string
  readonly isDone: boolean
}

/** All that a life said, up to its end. */
export class Testimony {
  readonly #begun = new Set<string>()
  readonly #done = new Map<string, unknown>()
  /** The errors that it was given, in order. */
  readonly errors: { readonly step: string; readonly error: string; readonly code: string }[] = []
  /** What it read at its end, after all errors: names by `topic/partition`. */
  readonly read = new Map<string, readonly string[]>()

  constructor(statements: readonly Statement[]) {
    for (const statement of statements) {
      if ('begun' in statement) this.#begun.add(statement.begun)
      else if ('done' in statement) this.#done.set(statement.done, statement.result)
      else if ('read' in statement) this.read.set(statement.read, statement.values)
      else if ('failed' in statement) {
        this.errors.push({ step: statement.failed, error: statement.error, code: statement.code })
      }
    }
  }

  isBegun(step: string): boolean {
    return this.#begun.has(step)
  }

  isDone(step: string): boolean {
    return this.#done.has(step)
  }

  /** What a step resolved with. */
  resultOf(step: string): unknown {
    return this.#done.get(step)
  }

  /** Whether a step was answered with this error. */
  isFailed(step: string, code: string): boolean {
    return this.errors.some((failed) => failed.step === step && failed.code === code)
  }

  /** The records of all `record topic/partition name` steps, in the order in which they were begun. */
  get records(): ToldRecord[] {
    return [...this.#begun].flatMap((step) => {
      const told = /^record (\S+)\/(\d+) (\S+)$/.exec(step)
      if (told === null) return []
      const [, topic = '', partition, name = ''] = told
      return [{ topic, partition: Number(partition), name, isDone: this.isDone(step) }]
    })
  }
}
