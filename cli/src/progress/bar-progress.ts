import { MultiBar, type SingleBar } from 'cli-progress'
import { withoutSecrets } from '../secrets.ts'
import { paint } from '../talk.ts'
import { fractionDone, type Meter, progressFacts } from './progress-line.ts'
import type { ProgressView } from './progress-view.ts'

const barWidth = 24

/** A bar for each meter, redrawn in place. */
export class BarProgress implements ProgressView {
  readonly #bars = new MultiBar({
    stream: process.stderr,
    hideCursor: true,
    fps: 8,
    format: (_options, _params, { meter, idWidth }: { meter: Meter; idWidth: number }) =>
      barLine(meter, idWidth),
  })
  readonly #byId = new Map<string, SingleBar>()

  update(meters: readonly Meter[]): void {
    const idWidth = Math.max(...meters.map(({ id }) => id.length))
    for (const meter of meters) {
      const fraction = fractionDone(meter) ?? 0
      const bar = this.#byId.get(meter.id) ?? this.#bars.create(1, fraction, { meter, idWidth })
      this.#byId.set(meter.id, bar)
      bar.update(fraction, { meter, idWidth })
    }
  }

  notice(message: string): void {
    this.#bars.log(`${withoutSecrets(message)}\n`)
  }

  stop(): void {
    this.#bars.update()
    this.#bars.stop()
  }
}

function barLine(meter: Meter, idWidth: number): string {
  const fraction = fractionDone(meter)
  const filled = Math.round((fraction ?? 0) * barWidth)
  const bar = paint('cyan', '█'.repeat(filled)) + paint('dim', '░'.repeat(barWidth - filled))
  const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`
  return `${meter.id.padEnd(idWidth)}  ${bar} ${percent.padStart(4)}  ${progressFacts(meter)}`
}
