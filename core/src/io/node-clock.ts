import fs from 'node:fs'
import os from 'node:os'
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
  boot() {
    const id = bootId()
    return id === undefined ? undefined : { id, elapsedMs: Math.floor(os.uptime() * 1000) }
  },
}

/** Linux names each run of the machine. */
function bootId(): string | undefined {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return undefined
  }
}
