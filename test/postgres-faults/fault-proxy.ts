import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where in a transaction something is to happen; the client's bytes are held until it has. */
export type Moment =
  | 'at the start'
  | 'at a claim'
  /** Of a second session, which looks after one on which nothing moves. */
  | 'at a look'
  | 'at BEGIN'
  | 'in COPY'
  | 'before the fence'
  | 'before COMMIT'
  | 'after COMMIT'

/** What becomes of the connection afterwards: `swallow` keeps it open, and nothing passes any more. */
export type Fate = 'go on' | 'cut' | 'swallow'

interface Plan {
  readonly moment: Moment
  /** Transactions to let pass before. */
  skip: number
  readonly act: () => Promise<Fate>
}

/** A TCP proxy before a PostgreSQL server that knows where in a transaction each connection is. */
export class FaultProxy {
  /** Bytes a second that each connection may send; undefined: all. */
  bytesPerSecond: number | undefined
  /** New connections are accepted and never answered. */
  isDeaf = false
  readonly #target: number
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  #plans: Plan[] = []
  #fired = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = net.createServer((client) => this.#accept(client))
  }

  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  /** How many plans have come to pass. */
  get fired(): number {
    return this.#fired
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** The server's URL, through this proxy. */
  through(url: string): string {
    const changed = new URL(url)
    changed.port = String(this.port)
    return changed.href
  }

  /** Plans something for a later transaction, of whatever connection. */
  plan(moment: Moment, skip: number, act: () => Promise<Fate>): void {
    this.#plans.push({ moment, skip, act })
  }

  /** Forgets what has not come to pass, and heals the line. */
  reset(): void {
    this.#plans = []
    this.#fired = 0
    this.bytesPerSecond = undefined
    this.isDeaf = false
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: net.Socket): void {
    this.#keep(client)
    if (this.isDeaf) return
    const server = net.connect(this.#target, '127.0.0.1')
    this.#keep(server)
    let isSwallowed = false
    let isMuted = false
    client.on('close', () => isSwallowed || server.destroy())
    server.on('close', () => isSwallowed || client.destroy())
    server.on('data', (bytes) => {
      if (!isSwallowed && !isMuted) client.write(bytes)
    })
    const frames = new Frames()
    let last = Promise.resolve()
    client.on('data', (bytes) => {
      client.pause()
      last = last.then(async () => {
        if (isSwallowed) return
        for (const piece of frames.cut(bytes)) {
          const plan = this.#planFor(piece.moment)
          if (plan?.moment === 'after COMMIT') isMuted = true
          else if (plan !== undefined) isSwallowed = await this.#carryOut(plan, client)
          if (isSwallowed || client.destroyed) return
          await this.#send(server, piece.bytes)
          if (plan?.moment !== 'after COMMIT') continue
          await sleep(50)
          isSwallowed = await this.#carryOut(plan, client)
          if (!isSwallowed) client.destroy()
          return
        }
        client.resume()
      })
    })
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  /** @returns whether the connection is swallowed from now on. */
  async #carryOut(plan: Plan, client: net.Socket): Promise<boolean> {
    this.#fired += 1
    const fate = await plan.act()
    if (fate === 'cut') client.destroy()
    // Its bytes go nowhere, but its end is still seen.
    if (fate === 'swallow') client.resume()
    return fate === 'swallow'
  }

  #planFor(moment: Moment | 'COMMIT' | undefined): Plan | undefined {
    if (moment === undefined) return undefined
    const index = this.#plans.findIndex((plan) =>
      moment === 'COMMIT' ? plan.moment.endsWith('COMMIT') : plan.moment === moment,
    )
    const plan = this.#plans[index]
    if (plan === undefined) return undefined
    if (plan.skip > 0) {
      plan.skip -= 1
      return undefined
    }
    this.#plans.splice(index, 1)
    return plan
  }

  async #send(server: net.Socket, bytes: Buffer): Promise<void> {
    const rate = this.bytesPerSecond
    if (rate === undefined) {
      if (!server.write(bytes)) await drained(server)
      return
    }
    const step = Math.max(1, Math.floor(rate / 50))
    for (let from = 0; from < bytes.length; from += step) {
      server.write(bytes.subarray(from, from + step))
      await sleep(20)
    }
  }
}

function drained(socket: net.Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once('drain', resolve)
    socket.once('close', resolve)
  })
}

interface Piece {
  readonly bytes: Buffer
  /** What begins with these bytes. */
  readonly moment: Moment | 'COMMIT' | undefined
}

/** Cuts a client's bytes where a message begins that a plan may wait for; sees few messages, not all. */
class Frames {
  /** Bytes that still belong to the message before. */
  #rest = 0
  #isStarted = false
  #head = Buffer.alloc(0)
  #isInCopy = false
  #isFenced = false

  /** Pieces in order; together they are all bytes so far, but for a few that are kept back. */
  cut(chunk: Buffer): Piece[] {
    const pieces: Piece[] = []
    const bytes = this.#head.length > 0 ? Buffer.concat([this.#head, chunk]) : chunk
    this.#head = Buffer.alloc(0)
    let sent = 0
    let at = this.#rest
    let moment: Piece['moment']
    while (at < bytes.length) {
      // A statement's first word, or all of a shorter message, must be there to be told.
      const needed = this.#isStarted ? 5 : 4
      if (bytes.length - at < needed) break
      const length = bytes.readUInt32BE(at + needed - 4)
      const end = at + (this.#isStarted ? 1 : 0) + length
      if (bytes.length < Math.min(end, at + 24)) break
      const found = this.#isStarted ? this.#momentOf(bytes, at) : 'at the start'
      if (found !== undefined) {
        if (at > sent) pieces.push({ bytes: bytes.subarray(sent, at), moment })
        sent = at
        moment = found
      }
      this.#isStarted = true
      at = end
    }
    const until = Math.min(at, bytes.length)
    this.#rest = at - until
    this.#head = Buffer.from(bytes.subarray(until))
    if (until > sent) pieces.push({ bytes: bytes.subarray(sent, until), moment })
    return pieces
  }

  #momentOf(bytes: Buffer, at: number): Piece['moment'] {
    const type = bytes[at]
    if (type === 0x64 && !this.#isInCopy) {
      this.#isInCopy = true
      return 'in COPY'
    }
    if (type === 0x63 || type === 0x66) this.#isInCopy = false
    if (type === 0x50 && bytes.toString('latin1', at + 5, at + 17) === '\0INSERT INTO')
      return 'at a claim'
    if (type === 0x50 && bytes.toString('latin1', at + 6, at + 22) === '\n  SELECT a.wait')
      return 'at a look'
    const advances = bytes.toString('latin1', at + 5, at + 22).includes('millrace_advance')
    if ((type === 0x50 || type === 0x42) && advances && !this.#isFenced) {
      this.#isFenced = true
      return 'before the fence'
    }
    if (type !== 0x51) return undefined
    const word = bytes.toString('latin1', at + 5, at + 11)
    if (word.startsWith('BEGIN')) {
      this.#isFenced = false
      return 'at BEGIN'
    }
    return word.startsWith('COMMIT') ? 'COMMIT' : undefined
  }
}
