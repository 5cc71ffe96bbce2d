import net from 'node:net'

/** When to cut a connection whose client sends COMMIT. */
export type Cut =
  | 'never'
  | 'before COMMIT'
  | 'with COMMIT'
  | 'after COMMIT'
  /** The server keeps its side open, as after a cable was pulled, and the transaction with it. */
  | 'before COMMIT unnoticed'

/** A TCP proxy before the server that cuts connections around COMMIT. */
export class CuttingProxy {
  /** What happens at the next COMMIT; back to `never` once it has happened. */
  next: Cut = 'never'
  cuts = 0
  readonly #target: number
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  private constructor(target: number) {
    this.#target = target
    this.#server = net.createServer((client) => this.#accept(client))
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  /** The server's URL, through this proxy. */
  through(url: string): string {
    const address = this.#server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const changed = new URL(url)
    changed.port = String(port)
    return changed.href
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: net.Socket): void {
    const server = net.connect(this.#target, '127.0.0.1')
    let isHalfOpen = false
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        if (!isHalfOpen) server.destroy()
        this.#sockets.delete(socket)
      })
    }
    let isMuted = false
    client.on('data', (bytes) => {
      if (this.next === 'never' || !isCommit(bytes)) return void server.write(bytes)
      const cut = this.next
      this.next = 'never'
      this.cuts += 1
      isHalfOpen = cut === 'before COMMIT unnoticed'
      if (cut === 'before COMMIT' || isHalfOpen) return void client.destroy()
      isMuted = cut === 'after COMMIT'
      server.write(bytes, () => {
        if (!isMuted) client.destroy()
      })
    })
    server.on('data', (bytes) => {
      if (isMuted) client.destroy()
      else client.write(bytes)
    })
  }
}

/** pg sends a statement without parameters as one message: Q, length, text, NUL. */
function isCommit(bytes: Buffer): boolean {
  return bytes[0] === 0x51 && bytes.toString('latin1', 5, 11) === 'COMMIT'
}
