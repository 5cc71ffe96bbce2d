import type { ProducerIdentity } from '../log.ts'

/** Who a producer is to the log: asked for when first needed, and anew when one is of no more use. */
export class Identity {
  readonly #ask: () => Promise<ProducerIdentity>
  #current: Promise<ProducerIdentity> | undefined

  constructor(ask: () => Promise<ProducerIdentity>) {
    this.#ask = ask
  }

  /** The identity; another one than `stale`. */
  get(stale?: ProducerIdentity): Promise<ProducerIdentity> {
    const current = this.#current
    if (current === undefined) return this.renew()
    if (stale === undefined) return current
    return current.then((identity) =>
      identity === stale && this.#current === current ? this.renew() : this.get(),
    )
  }

  /** Asks for a new one, with which the old one is fenced. */
  renew(): Promise<ProducerIdentity> {
    const identity = this.#ask()
    this.#current = identity
    identity.catch(() => {
      if (this.#current === identity) this.#current = undefined
    })
    return identity
  }

  /** Goes on under the one that the log gave unasked, at the end of a transaction. */
  adopt(identity: ProducerIdentity): void {
    this.#current = Promise.resolve(identity)
  }
}
