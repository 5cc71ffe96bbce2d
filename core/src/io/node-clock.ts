import type { Clock } from './clock.ts'

/** The machine's clocks and timers. */
export const nodeClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, callback, urgency) {
    const timer = setTimeout(callback, delayMs)
    if (urgency === 'background') timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
