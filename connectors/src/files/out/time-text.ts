/** A moment as ISO 8601 in UTC; microseconds where milliseconds have a fraction. */
export function timeText(ms: number): string {
  const whole = Math.floor(ms)
  const time = new Date(whole)
  if (Number.isNaN(time.getTime())) return String(ms)
  const micros = Math.round((ms - whole) * 1000)
  const text = time.toISOString()
  return micros === 0 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, '0')}Z`
}

/** The day (UTC) of a date or of milliseconds since 1970, as `2001-02-03`; undefined for anything else. */
export function dateText(value: unknown): string | undefined {
  const time =
    value instanceof Date ? value : typeof value === 'number' ? new Date(value) : undefined
  if (time === undefined || Number.isNaN(time.getTime())) return undefined
  return time.toISOString().slice(0, -'T00:00:00.000Z'.length)
}
