import { MultiBar, type SingleBar } from 'cli-progress'
import { withoutSecrets } from '../secrets.ts'
import { type Meter, progressFacts } from './progress-line.ts'
import type { ProgressView } from './progress-view.ts'

const factsWidth = 56

/** A bar for each meter, redrawn in place. */
export class BarProgress implements ProgressView {
  readonly #bars = new MultiBar({
    stream: process.stderr,
    hideCursor: true,
    fps: 8,
    // Else the first Ctrl-C would freeze the bars while the run drains.
    gracefulExit: false,
    format: (_options, _params, { meter, idWidth }: { meter: Meter; idWidth: number }) =>
      barLine(meter, idWidth),
  })
  readonly #byId = new Map<string, SingleBar>()

  update(meters: readonly Meter[]): void {
    const idWidth = Math.max(...meters.map(({ id }) => id.length))
    for (const meter of meters) {
      const fraction = meter.fraction ?? 0
      const bar = this.#byId.get(meter.id) ?? this.#bars.create(1, fraction, { meter, idWidth })
      this.#byId.set(meter.id, bar)
      bar.update(fraction, { meter, idWidth })
    }
  }

  notice(message: string): void {
    this.#bars.log(`${withoutSecrets(message)}\n`)
  }

  stop(): void {
    this.#bars.stop()
  }
}

/** Without colours: cli-progress cuts lines to the terminal's width, and would count them. */
function barLine(meter: Meter, idWidth: number): string {
  const { fraction } = meter
  const barWidth = Math.min(24, Math.max(8, process.stderr.columns - idWidth - factsWidth))
  const filled = Math.round((fraction ?? 0) * barWidth)
  const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  const percent = fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`
  return `${meter.id.padEnd(idWidth)}  ${bar} ${percent.padStart(4)}  ${progressFacts(meter)}`
}
