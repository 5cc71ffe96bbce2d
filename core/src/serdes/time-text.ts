const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/

/**
 * Milliseconds since 1970 of a date or time in ISO 8601, down to a microsecond; without a zone it is
 * UTC. NaN for any other text, and for a day that the calendar hasn't.
 */
export function timeOfText(text: string): number {
  return timeOfUsual(text) ?? timeOfAny(text)
}

/** The shape that most files have, `2001-02-03 04:05:06` or `2001-02-03`, without a regular expression. */
function timeOfUsual(text: string): number | undefined {
  const { length } = text
  if ((length !== 19 && length !== 10) || text[4] !== '-' || text[7] !== '-') return undefined
  const midnight = midnightOf(
    digits(text, 0) * 100 + digits(text, 2),
    digits(text, 5),
    digits(text, 8),
  )
  if (midnight === undefined || length === 10) return midnight
  if (text[13] !== ':' || text[16] !== ':' || (text[10] !== ' ' && text[10] !== 'T'))
    return undefined
  const hour = digits(text, 11)
  const minute = digits(text, 14)
  const second = digits(text, 17)
  // Not a number (no digits) fails these comparisons too.
  if (!(hour < 24 && minute < 60 && second < 60)) return undefined
  return midnight + (hour * 3600 + minute * 60 + second) * 1000
}

/** The number that two digits make; NaN when they are none. */
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN
}

/** Midnight UTC; undefined when the month has no such day. */
function midnightOf(year: number, month: number, day: number): number | undefined {
  if (!(year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 31)) return undefined
  // oxlint-disable-next-line no-restricted-globals -- the calendar, not the time
  const midnight = Date.UTC(year, month - 1, day)
  // oxlint-disable-next-line no-restricted-globals -- the calendar, not the time
  return day > 28 && new Date(midnight).getUTCDate() !== day ? undefined : midnight
}

function timeOfAny(text: string): number {
  const match = TIME.exec(text)
  if (!match) return Number.NaN
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] =
    match
  const midnight = midnightOf(Number(year), Number(month), Number(day))
  if (midnight === undefined) return Number.NaN
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return Number.NaN
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second)
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'))
  return midnight + seconds * 1000 + micros / 1000 - zoneMs(zone)
}

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '-' ? -ms : ms
}
