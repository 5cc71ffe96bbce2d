import { UnavailableError } from './errors.ts'
import { type Clock, sleep } from './io/index.ts'

/** Repeats `call` while the log is unavailable, until `timeoutMs` have passed; then its error stands. */
export async function retryUnavailable<T>(
  clock: Clock,
  limits: { readonly timeoutMs: number; readonly backoffMs: number },
  call: () => Promise<T>,
): Promise<T> {
  const startMs = clock.monotonicMs()
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const elapsedMs = clock.monotonicMs() - startMs
      if (!(error instanceof UnavailableError) || elapsedMs >= limits.timeoutMs) throw error
      await sleep(clock, limits.backoffMs)
    }
  }
}

/** {@link retryUnavailable} with a clock and limits chosen before. */
export type Retry = <T>(call: () => Promise<T>) => Promise<T>
