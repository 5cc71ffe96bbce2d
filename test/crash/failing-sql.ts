import type { Socket } from 'node:net'
import pg from 'pg'
import type { Failpoints } from './failpoints.ts'

interface PgConnection {
  readonly stream: Socket
  on(event: 'commandComplete', listener: (message: { readonly text: string }) => void): void
}

/** Puts failpoints into the Postgres driver: around each message sent, and when each answer is read. */
export function failSql(failpoints: Failpoints): void {
  const connection = pg.Connection.prototype as unknown as {
    connect(this: PgConnection, ...parameters: unknown[]): void
  }
  // oxlint-disable-next-line unbound-method -- it is called on each connection below
  const { connect } = connection
  connection.connect = function (...parameters) {
    this.on('commandComplete', ({ text }) => {
      const step = `sql answer ${text.split(' ')[0] ?? ''}`
      failpoints.reach(step, failpoints.begin(step), 'after')
    })
    connect.apply(this, parameters)
    // Not before: connecting gives a socket its own `write` back.
    failWrites(this.stream, failpoints)
  }
}

function failWrites(stream: Socket, failpoints: Failpoints): void {
  const write = stream.write.bind(stream)
  const failing = (bytes: Uint8Array, written?: (error?: Error | null) => void) => {
    const step = `sql ${nameOf(Buffer.from(bytes))}`
    const occurrence = failpoints.begin(step)
    return write(bytes, (error) => {
      failpoints.reach(step, occurrence, 'sent')
      written?.(error)
    })
  }
  stream.write = failing as typeof stream.write
}

/** The message's kind, and of a query its first words. */
function nameOf(message: Buffer): string {
  const kind = String.fromCodePoint(message[0] ?? 0)
  const words = (from: number) => /^\s*(\w+)/.exec(message.toString('utf8', from))?.[1] ?? ''
  switch (kind) {
    case 'Q':
      return words(5)
    case 'P':
      return `parse ${words(message.indexOf(0, 5) + 1)}`
    case 'd':
      return 'copy data'
    case 'c':
      return 'copy done'
    case 'B':
      return 'bind'
    case 'E':
      return 'execute'
    case 'S':
      return 'sync'
    default:
      return 'connect'
  }
}
