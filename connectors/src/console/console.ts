import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { ClosedError } from '@millrace/core'
import type { OpenSink, Sink, SinkBatch, SinkTask } from '@millrace/processors'

/** Options of {@link console}. */
export interface ConsoleOptions {
  /** Tells two of them in one pipeline apart. Default: `console`. */
  readonly name?: string
  /** Where to write. Default: standard output. */
  readonly stream?: Writable
}

/**
 * Writes each row as a line of JSON to standard output: the key's properties, then the value's;
 * a tombstone as `{"key":…,"value":null}`. At least once: a crash may repeat lines.
 */
export function console(options: ConsoleOptions = {}): Sink<unknown> {
  return {
    kind: 'sink',
    name: options.name ?? 'console',
    guarantee: 'at-least-once',
    mode: 'append',
    async open() {
      return new OpenConsole(options.stream ?? process.stdout)
    },
  }
}

class OpenConsole implements OpenSink {
  readonly #stream: Writable

  constructor(stream: Writable) {
    this.#stream = stream
  }

  async claim(): Promise<SinkTask> {
    return {
      position: undefined,
      write: (batch) => this.#write(batch),
      release: async () => {},
    }
  }

  async #write({ size, keys, values }: SinkBatch): Promise<void> {
    let lines = ''
    for (let i = 0; i < size; i++) lines += `${lineOf(keys[i] ?? null, values[i] ?? null)}\n`
    await writeAll(this.#stream, lines)
  }

  async close(): Promise<void> {}
}

type Row = Readonly<Record<string, unknown>> | null

function lineOf(key: Row, value: Row): string {
  return JSON.stringify(value === null ? { key, value } : { ...key, ...value }, plain)
}

/** Integers past 2^53 as their digits, bytes as base64; JSON has no other form for them. */
function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value))
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

// Node has it; TypeScript's library doesn't yet.
const rawJson = (JSON as unknown as { rawJSON: (this: void, text: string) => unknown }).rawJSON

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
