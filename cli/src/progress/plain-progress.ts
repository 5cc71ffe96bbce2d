import { say } from '../talk.ts'
import { type Meter, progressFacts } from './progress-line.ts'
import type { ProgressView } from './progress-view.ts'

const everyMs = 1000

/** A line a second for each meter that moved, for files and CI. */
export class PlainProgress implements ProgressView {
  readonly #said = new Map<string, string>()
  #lastMs = performance.now()
  #last: readonly Meter[] = []

  update(meters: readonly Meter[]): void {
    this.#last = meters
    const nowMs = performance.now()
    if (nowMs - this.#lastMs < everyMs) return
    this.#lastMs = nowMs
    this.#sayWhatChanged()
  }

  notice(message: string): void {
    say(message)
  }

  stop(): void {
    this.#sayWhatChanged()
  }

  #sayWhatChanged(): void {
    for (const meter of this.#last) {
      const done = `${meter.rows} ${meter.state}`
      if (this.#said.get(meter.id) === done) continue
      this.#said.set(meter.id, done)
      const { fraction } = meter
      const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)} %  `
      say(`${meter.id}: ${percent}${progressFacts(meter)}`)
    }
  }
}

/** Keeps progress quiet, not notices. */
export function silentProgress(): ProgressView {
  return { update() {}, notice: say, stop() {} }
}
