import { stringifyRich } from '../state/rich-json.ts'

/** A queue that gives out at most one item of each key at a time; items whose key is null don't wait for each other. */
export class KeyedQueue<T> {
  readonly #keyOf: (item: T) => unknown
  #ready: T[] = []
  #readyFrom = 0
  /** Keys given out, with the items that wait for them. */
  readonly #busy = new Map<string, T[]>()

  constructor(keyOf: (item: T) => unknown) {
    this.#keyOf = keyOf
  }

  push(item: T): void {
    const key = this.#keyOf(item)
    if (key !== null) {
      const text = stringifyRich(key)
      const waiting = this.#busy.get(text)
      if (waiting !== undefined) {
        waiting.push(item)
        return
      }
      this.#busy.set(text, [])
    }
    this.#ready.push(item)
  }

  take(): T | undefined {
    const item = this.#ready[this.#readyFrom]
    if (item === undefined) {
      this.#ready = []
      this.#readyFrom = 0
      return undefined
    }
    this.#readyFrom++
    return item
  }

  /** Says that an item taken is done with: the next of its key may go. */
  release(item: T): void {
    const key = this.#keyOf(item)
    if (key === null) return
    const text = stringifyRich(key)
    const next = this.#busy.get(text)?.shift()
    if (next === undefined) this.#busy.delete(text)
    else this.#ready.push(next)
  }
}
