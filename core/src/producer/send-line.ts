import { type PlacedDelivery, WaitingDelivery } from './delivery.ts'

const SERVED_MAX = 1024

interface WaitingSend<R> {
  readonly record: R
  readonly delivery: WaitingDelivery
}

/** How the line serves a record. */
export interface LineService<R> {
  /** A promise only where the record has to wait, for its topic or for room. */
  readonly wait: (record: R) => Promise<void> | undefined
  readonly send: (record: R) => PlacedDelivery
  readonly onUnseenFailure: (error: unknown) => void
}

/**
 * Sends that wait for their topic or for room, in order: while there are any, later ones queue up behind.
 * It is empty ⇄ being served.
 */
export class SendLine<R> {
  readonly #service: LineService<R>
  readonly #line: WaitingSend<R>[] = []
  #emptied: Promise<void> = Promise.resolve()

  constructor(service: LineService<R>) {
    this.#service = service
  }

  get isEmpty(): boolean {
    return this.#line.length === 0
  }

  /** Resolves when everybody who waits now has been served. */
  get emptied(): Promise<void> {
    return this.#emptied
  }

  queueUp(record: R): WaitingDelivery {
    const delivery = new WaitingDelivery()
    this.#line.push({ record, delivery })
    if (this.#line.length === 1) this.#emptied = this.#serve()
    return delivery
  }

  async #serve(): Promise<void> {
    const { wait, send, onUnseenFailure } = this.#service
    for (let served = 0; ;) {
      // Whoever is served stays in the line until then, so that newcomers know to queue up.
      if (this.#mayMoveUp(served)) {
        this.#line.splice(0, served)
        served = 0
      }
      const waiting = this.#line[served++]
      if (waiting === undefined) return
      const { record, delivery } = waiting
      try {
        const ready = wait(record)
        if (ready !== undefined) await ready
        delivery.place(send(record))
      } catch (error) {
        if (!delivery.isObserved) onUnseenFailure(error)
        delivery.fail(error)
      }
    }
  }

  /** Half of the line at a time, or a long one would be moved once per 1,024 served. */
  #mayMoveUp(served: number): boolean {
    const { length } = this.#line
    return served === length || (served >= SERVED_MAX && served * 2 >= length)
  }
}
