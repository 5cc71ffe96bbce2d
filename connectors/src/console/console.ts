import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { ClosedError } from '@millrace/core'
import { checkOptions, type Checks, oneOf, text, withMethods } from '@millrace/core/options'
import type { OpenSink, Sink, SinkBatch, SinkTask } from '@millrace/processors'
import { jsonText } from '../json-text.ts'
import type { CsvLines } from './csv-lines.ts'

/** Options of {@link console}. */
export interface ConsoleOptions {
  /** Tells two of them in one pipeline apart. Default: `console`. */
  readonly name?: string
  /** Where to write. Default: standard output. */
  readonly stream?: Writable
  /** `csv` begins with a line of the columns: those of the schema, else those of the first rows. Default `json`. */
  readonly format?: 'json' | 'csv'
}

const CHECKS: Checks<ConsoleOptions> = {
  name: text,
  stream: withMethods('a stream, such as process.stdout', 'write', 'once'),
  format: oneOf('json', 'csv'),
}

/**
 * Writes each row as a line of JSON (or CSV) to standard output: the key's properties, then the value's;
 * a tombstone as `{"key":…,"value":null}`. At least once: a crash may repeat lines.
 *
 * @throws UsageError for options that make no sense.
 */
export function console(options: ConsoleOptions = {}): Sink<unknown> {
  checkOptions('console', options, CHECKS)
  const { stream = process.stdout, format = 'json' } = options
  // Its connections write below one header.
  let csv: CsvLines | undefined
  return {
    kind: 'sink',
    name: options.name ?? 'console',
    guarantee: 'at-least-once',
    mode: 'append',
    async open({ columns, isSample }) {
      if (format === 'json') return new OpenConsole(stream, jsonLines)
      const { CsvLines } = await import('./csv-lines.ts')
      const lines = (csv ??= new CsvLines(columns, isSample))
      return new OpenConsole(stream, (batch) => lines.take(batch))
    },
  }
}

class OpenConsole implements OpenSink {
  readonly #stream: Writable
  readonly #linesOf: (batch: SinkBatch) => string | Promise<string>

  constructor(stream: Writable, linesOf: (batch: SinkBatch) => string | Promise<string>) {
    this.#stream = stream
    this.#linesOf = linesOf
  }

  async claim(): Promise<SinkTask> {
    return {
      position: undefined,
      write: (batch) => this.#write(batch),
      release: async () => {},
    }
  }

  async #write(batch: SinkBatch): Promise<void> {
    await writeAll(this.#stream, await this.#linesOf(batch))
  }

  async close(): Promise<void> {}
}

type Row = Readonly<Record<string, unknown>> | null

function jsonLines({ size, keys, values }: SinkBatch): string {
  let lines = ''
  for (let i = 0; i < size; i++) lines += `${lineOf(keys[i] ?? null, values[i] ?? null)}\n`
  return lines
}

function lineOf(key: Row, value: Row): string {
  return jsonText(value === null ? { key, value } : { ...key, ...value })
}

async function writeAll(stream: Writable, text: string): Promise<void> {
  if (!stream.writable) throw closed()
  // The callback comes once the text is out, or with the reason why it never will be.
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onError = (error: NodeJS.ErrnoException): void =>
    reject(error.code === 'EPIPE' ? closed() : error)
  stream.once('error', onError)
  stream.write(text, (error) => (error ? onError(error) : resolve()))
  try {
    await promise
    if (stream.writableNeedDrain) await once(stream, 'drain')
  } finally {
    stream.off('error', onError)
  }
}

function closed(): ClosedError {
  return new ClosedError('CLOSED', 'Whoever read standard output has closed it.')
}
