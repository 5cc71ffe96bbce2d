import type { Socket } from 'node:net'
import type { Client, Connection, Submittable } from 'pg'

/** Takes whole CopyData messages, `rows` of them; they stay as they are until it resolves. */
export type TakeCopyData = (messages: Buffer, rows: number) => Promise<void>

const headerBytes = 5
const copyData = 0x64
const copyDone = 0x63
const copyOutResponse = 0x48
const readyForQuery = 0x5a

/**
 * One `COPY … TO STDOUT`. The driver would make an object of each row, so while it runs the server's
 * messages are read here: rows go out as they came, everything else goes to the driver. States:
 * reading (the driver's listeners are off the socket) ⇄ taking (paused, the taker has rows) → ended.
 */
export class CopyOut implements Submittable {
  readonly #sql: string
  readonly #take: TakeCopyData
  readonly #ended = Promise.withResolvers<void>()
  #socket: Socket | undefined
  #driver: readonly ((bytes: Buffer) => void)[] = []
  /** The beginning of a message. */
  #rest: Buffer = Buffer.alloc(0)
  #failure: { readonly error: unknown } | undefined

  private constructor(sql: string, take: TakeCopyData) {
    this.#sql = sql
    this.#take = take
  }

  /** Resolves when all rows have been taken. @throws whatever the server or the taker throws. */
  static async run(client: Client, sql: string, take: TakeCopyData): Promise<void> {
    const copy = client.query(new CopyOut(sql, take))
    await copy.#ended.promise
  }

  submit(connection: Connection): void {
    const socket = connection.stream as Socket
    this.#socket = socket
    this.#driver = socket.listeners('data') as ((bytes: Buffer) => void)[]
    socket.removeAllListeners('data')
    socket.on('data', this.#read)
    connection.query(this.#sql)
  }

  handleReadyForQuery(): void {
    if (this.#failure) this.#ended.reject(this.#failure.error)
    else this.#ended.resolve()
  }

  handleCommandComplete(): void {}

  /** The server's refusal, or the connection's end. */
  handleError(error: Error): void {
    this.#failure ??= { error }
    if (this.#socket?.destroyed !== false) this.#giveBack()
    this.#ended.reject(error)
  }

  readonly #read = (bytes: Buffer): void => {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const { end, rows } = this.#rowsFrom(all)
    if (end === 0) return this.#readOther(all)
    this.#rest = Buffer.alloc(0)
    const after = all.subarray(end)
    this.#socket?.pause()
    this.#takeRows(all.subarray(0, end), rows)
      .catch((error: unknown) => {
        // The rest is passed over: only its end sets the connection free.
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#readOther(after)
        this.#socket?.resume()
      })
  }

  async #takeRows(messages: Buffer, rows: number): Promise<void> {
    if (!this.#failure) await this.#take(messages, rows)
  }

  /** Whole rows at the beginning. */
  #rowsFrom(bytes: Buffer): { end: number; rows: number } {
    let end = 0
    let rows = 0
    while (bytes[end] === copyData && end + headerBytes <= bytes.length) {
      const next = end + 1 + bytes.readUInt32BE(end + 1)
      if (next > bytes.length) break
      end = next
      rows += 1
    }
    return { end, rows }
  }

  /** Messages other than rows, up to the next row; what is not whole waits for more. */
  #readOther(bytes: Buffer): void {
    let at = 0
    while (at + headerBytes <= bytes.length) {
      const type = bytes[at] as number
      const next = at + 1 + bytes.readUInt32BE(at + 1)
      if (next > bytes.length) break
      if (type === copyData) return this.#read(bytes.subarray(at))
      if (type === readyForQuery) return this.#giveBack(bytes.subarray(at))
      if (type !== copyDone && type !== copyOutResponse) this.#tellDriver(bytes.subarray(at, next))
      at = next
    }
    this.#rest = bytes.subarray(at)
  }

  #giveBack(bytes?: Buffer): void {
    this.#socket?.off('data', this.#read)
    for (const listener of this.#driver) this.#socket?.on('data', listener)
    if (bytes) this.#tellDriver(bytes)
    this.#driver = []
  }

  #tellDriver(bytes: Buffer): void {
    for (const listener of this.#driver) listener.call(this.#socket, bytes)
  }
}
