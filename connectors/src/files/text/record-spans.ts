const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Where a record begins and ends in a block's bytes, its line end included. */
export type Span = readonly [from: number, until: number]

/** Where lines begin and end; those of white space alone are none. */
export function lineSpans(bytes: Buffer, from = 0): Span[] {
  const spans: Span[] = []
  for (let start = from; start < bytes.length;) {
    const lineFeed = bytes.indexOf(LINE_FEED, start)
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1
    if (!isBlank(bytes, start, end)) spans.push([start, end])
    start = end
  }
  return spans
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) > 0x20) return false
  return true
}

/** Where each CSV record begins and ends, in text with well-formed quotes; empty lines are none. */
export function csvSpans(bytes: Buffer, quoteCharacter: string): Span[] {
  const quote = quoteCharacter === '' ? -1 : quoteCharacter.charCodeAt(0)
  const spans: Span[] = []
  let isQuoted = false
  let start = 0
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at]
    if (byte === quote) isQuoted = !isQuoted
    if (at < bytes.length && (byte !== LINE_FEED || isQuoted)) continue
    const end = Math.min(at + 1, bytes.length)
    const textEnd = bytes[at - 1] === CARRIAGE_RETURN && byte === LINE_FEED ? at - 1 : at
    if (textEnd > start) spans.push([start, end])
    start = end
  }
  return spans
}

/** Without the line end that it may have. */
export function withoutLineEnd(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== LINE_FEED) return bytes
  return bytes.subarray(0, bytes.at(-2) === CARRIAGE_RETURN ? -2 : -1)
}
