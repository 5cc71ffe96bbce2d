import type { Client, Connection, Submittable } from 'pg'
import type { Socket } from 'node:net'

const copyData = 0x64
const copyDone = Buffer.from([0x63, 0, 0, 0, 4])

/**
 * One `COPY … FROM STDIN`. States: starting (asked, no answer yet) → copying → ending → done; any of
 * them may turn to failed, and `send` then rejects. The connection can be used again once
 * {@link finish} or {@link cancel} has resolved.
 */
export class CopyIn implements Submittable {
  readonly #sql: string
  readonly #started = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  #connection: Connection | undefined
  #inFlight: Promise<void> | undefined
  #failure: Error | undefined
  #rowCount = 0

  private constructor(sql: string) {
    this.#sql = sql
    // Whoever uses us sees the failure at the next call.
    this.#started.promise.catch(() => {})
    this.#ended.promise.catch(() => {})
  }

  /** Asks the server to take rows; resolves when it is ready for them. */
  static async begin(client: Client, sql: string): Promise<CopyIn> {
    const copy = client.query(new CopyIn(sql))
    await copy.#started.promise
    return copy
  }

  /**
   * Sends bytes of COPY. Resolves when the *previous* ones have left this process, so that a caller
   * with two buffers fills one while the other is being sent.
   */
  async send(bytes: Buffer): Promise<void> {
    await this.#inFlight
    if (this.#failure !== undefined) throw this.#failure
    if (bytes.length > 0) this.#inFlight = this.#write(bytes)
  }

  /** As {@link send}, of whole CopyData messages. */
  async sendMessages(bytes: Buffer): Promise<void> {
    await this.#inFlight
    if (this.#failure !== undefined) throw this.#failure
    if (bytes.length > 0) this.#inFlight = this.#writeFramed(bytes)
  }

  /** Ends the rows. Resolves when the server has taken all of them, and rejects with its refusal. */
  async finish(): Promise<void> {
    await this.#inFlight
    if (this.#failure === undefined) this.#socket()?.write(copyDone)
    await this.#ended.promise
  }

  /** Rows that the server counted; known once {@link finish} has resolved. */
  get rowCount(): number {
    return this.#rowCount
  }

  /** Takes everything back: the server rolls the statement back, as after any error. */
  async cancel(): Promise<void> {
    if (this.#failure === undefined) {
      const connection = this.#connection as (Connection & CopyFailSender) | undefined
      connection?.sendCopyFail('cancelled by Millrace')
    }
    await this.#ended.promise.catch(() => {})
    await this.#inFlight
  }

  submit(connection: Connection): void {
    this.#connection = connection
    connection.query(this.#sql)
  }

  handleCopyInResponse(): void {
    this.#started.resolve()
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#rowCount = Number(message.text.split(' ')[1])
  }

  handleReadyForQuery(): void {
    this.#ended.resolve()
  }

  handleError(error: Error): void {
    this.#failure = error
    this.#started.reject(error)
    this.#ended.reject(error)
  }

  #writeFramed(bytes: Buffer): Promise<void> {
    const socket = this.#socket()
    if (socket === undefined || !socket.writable) return this.#ended.promise
    return new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
  }

  #write(bytes: Buffer): Promise<void> {
    const socket = this.#socket()
    if (socket === undefined || !socket.writable) return this.#ended.promise
    const header = Buffer.allocUnsafe(5)
    header[0] = copyData
    header.writeUInt32BE(bytes.length + 4, 1)
    socket.cork()
    socket.write(header)
    // A write that fails ends the connection, which fails this query; nobody else looks at it.
    const written = new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
    socket.uncork()
    return written
  }

  #socket(): Socket | undefined {
    return this.#connection?.stream as Socket | undefined
  }
}

/** Part of pg's connection that its types leave out. */
interface CopyFailSender {
  sendCopyFail(reason: string): void
}
