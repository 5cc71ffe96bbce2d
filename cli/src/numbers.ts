import { InvalidArgumentError } from 'commander'

/** Reads a whole number from the command line, at least 1. */
export function positiveInteger(text: string): number {
  return integer(text, 1)
}

/** Reads a whole number from the command line, at least 0. */
export function nonNegativeInteger(text: string): number {
  return integer(text, 0)
}

function integer(text: string, min: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= min) return number
  throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`)
}

const million = 1_000_000

/** `1234567` → `1.23 M`; for people, not for programs. */
export function shortCount(count: number): string {
  if (count >= 1000 * million) return `${(count / (1000 * million)).toFixed(2)} G`
  if (count >= million) return `${(count / million).toFixed(2)} M`
  return count >= 10_000 ? `${(count / 1000).toFixed(0)} k` : String(Math.round(count))
}

/** `1 record`, `3 records`, `1.23 M records`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${shortCount(count)} ${count === 1 ? noun : plural}`
}

/** `75` → `1m15s`, `1.23` → `1.2s`. */
export function shortDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`
}
