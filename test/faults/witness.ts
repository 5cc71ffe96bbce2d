import { writeSync } from 'node:fs'
import { type Log, MillraceError } from '@millrace/core'
import { batchOf } from '@millrace/core/testing'

/** One thing that a child process says, as a line of JSON on its standard output. */
export type Statement =
  | { readonly ready: number }
  | { readonly begun: string }
  | { readonly done: string; readonly result: unknown }
  | { readonly failed: string; readonly error: string; readonly code: string }
  | { readonly read: string; readonly values: readonly string[] }

const VALUE_LENGTH = 300

/** The record value of a name: long enough for a few of them to fill a small segment. */
export function valueOf(name: string): string {
  return `${name} `.padEnd(VALUE_LENGTH, '.')
}

/** The name in a record's value; the whole value when it is none. */
export function nameOf(value: string): string {
  const [name = ''] = value.split(' ', 1)
  return value === valueOf(name) ? name : value
}

/** Says, synchronously, what is begun and what is answered: a kill loses nothing that was said. */
export class Witness {
  say(statement: Statement): void {
    writeSync(1, `${JSON.stringify(statement)}\n`)
  }

  /** Runs a step and says how it ended. An error that is not Millrace's own is thrown. */
  async step<Result>(name: string, run: () => Promise<Result>): Promise<Result | undefined> {
    this.say({ begun: name })
    try {
      const result = await run()
      this.say({ done: name, result: isPlain(result) ? result : null })
      return result
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.say({ failed: name, error: `${error.name}: ${error.message}`, code: error.code })
      return undefined
    }
  }

  /** Appends one record; its step is `record topic/partition name`. */
  async record(log: Log, topic: string, partition: number, name: string): Promise<void> {
    const batch = batchOf([valueOf(name)])
    await this.step(`record ${topic}/${partition} ${name}`, () =>
      log.append({ topic, partition, batch }),
    )
  }
}

function isPlain(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'string' || Array.isArray(value)
}
