import { type Clock, sleep } from '@millrace/core/io'
import { codeOf } from './disk.ts'
import type { WithRoom } from './part-file.ts'

const DELAY_MIN_MS = 500
const DELAY_MAX_MS = 10_000

/**
 * Waits while the disk is full, as long as it takes: what was written stays, nothing is published, and
 * the input waits. Says so once for each time that it fills up.
 */
export function waitingForRoom(
  where: string,
  with_: {
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly notice: (message: string) => void
  },
): WithRoom {
  return async (work) => {
    for (let delayMs = DELAY_MIN_MS; ; delayMs = Math.min(delayMs * 2, DELAY_MAX_MS)) {
      try {
        await work()
        return
      } catch (error) {
        const code = codeOf(error)
        if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
        with_.signal.throwIfAborted()
        if (delayMs === DELAY_MIN_MS) {
          with_.notice(
            `no room on the disk of ${where} (${code}); going on as soon as there is some`,
          )
        }
        await Promise.race([sleep(with_.clock, delayMs), aborted(with_.signal)])
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
