import { Tally } from './tally.ts'

/** A seed whose life went wrong, and how. */
export interface Failure {
  readonly seed: number
  readonly message: string
}

/** What many lives gave. */
export interface LivesResult {
  readonly tally: { readonly counts: Record<string, number>; readonly lives: number }
  readonly failures: readonly Failure[]
}

/** Called before each life. */
export type OnLife = (seed: number) => void

/** Runs the lives `firstSeed`, `firstSeed + step`, …, `count` of them, until `failuresMax` have failed. */
export async function runLives(
  firstSeed: number,
  count: number,
  step = 1,
  failuresMax = 1,
  onLife: OnLife = () => {},
): Promise<LivesResult> {
  // Imported late, so that a planted bug is in place before the log is loaded.
  const { live } = await import('./life.ts')
  const tally = new Tally()
  const failures: Failure[] = []
  for (let index = 0; index < count && failures.length < failuresMax; index += 1) {
    const seed = firstSeed + index * step
    onLife(seed)
    try {
      await live(seed, tally)
    } catch (error) {
      failures.push({
        seed,
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  }
  return { tally: { counts: tally.counts, lives: tally.lives }, failures }
}
