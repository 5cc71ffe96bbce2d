import type { Meter } from './progress-line.ts'

/** Shows how the work goes, on standard error. */
export interface ProgressView {
  update(meters: readonly Meter[]): void
  /** Says something between two updates. */
  notice(message: string): void
  /** Leaves the last state on the screen. */
  stop(): void
}

/** Bars on a terminal, a plain line a second elsewhere, nothing when `quiet`. */
export async function progressView(options: { quiet?: boolean }): Promise<ProgressView> {
  if (options.quiet === true) {
    const { silentProgress } = await import('./plain-progress.ts')
    return silentProgress()
  }
  if (process.stderr.isTTY) {
    const { BarProgress } = await import('./bar-progress.ts')
    return new BarProgress()
  }
  const { PlainProgress } = await import('./plain-progress.ts')
  return new PlainProgress()
}
