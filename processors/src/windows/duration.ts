import { UsageError } from '@millrace/core'

const MS_BY_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

type Unit = keyof typeof MS_BY_UNIT

/** A length of time: a number and `ms`, `s`, `m`, `h` or `d`, such as `90s` or `1.5h`. */
export type Duration = `${number}${Unit}`

/** A duration in milliseconds. @throws UsageError DURATION_INVALID, saying what may have been meant. */
export function durationMs(duration: Duration): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration)
  const ms = match ? Number(match[1]) * MS_BY_UNIT[match[2] as Unit] : Number.NaN
  if (Number.isSafeInteger(ms)) return ms
  throw new UsageError(
    'DURATION_INVALID',
    `"${duration}" is no duration${suggestion(String(duration))} ` +
      'Write a number and a unit, such as 500ms, 30s, 10m, 1h or 7d.',
  )
}

/** The shortest exact form, such as `90m`. */
export function durationText(ms: number): Duration {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms >= MS_BY_UNIT[unit] && ms % MS_BY_UNIT[unit] === 0)
      return `${ms / MS_BY_UNIT[unit]}${unit}`
  }
  return ms === 0 ? '0s' : `${ms}ms`
}

// '10 mins' → 10m: the first letters of the usual words name the unit, save that months are none.
function suggestion(text: string): string {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return '.'
  const word = (match[2] ?? '').toLowerCase()
  if (word === '') return `: its unit is missing. Did you mean "${match[1]}ms" or "${match[1]}s"?`
  const unit = /^(ms|milli)/.test(word) ? 'ms' : /^(?:s|m(?!o)|h|d)/.exec(word)?.[0]
  if (word.startsWith('week')) return `. Did you mean "${Number(match[1]) * 7}d"?`
  return unit === undefined ? '.' : `. Did you mean "${match[1]}${unit}"?`
}
