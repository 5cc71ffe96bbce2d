/** How a CSV file is written. */
export interface CsvDialect {
  /** One ASCII character. */
  readonly delimiter: string
  /** One ASCII character, doubled inside a quoted field; empty when nothing is quoted. */
  readonly quote: string
  /** What an unquoted field holds when it means null. */
  readonly null: string
}

/** What one look at every byte of some CSV text tells. */
export interface CsvScan {
  /** Where the last whole record ends. */
  end: number
  /** Whole records; empty lines not counted. */
  records: number
  emptyLines: number
  hasQuotes: boolean
  /** Line feeds that end a record, and how many of them follow a carriage return. */
  lineFeeds: number
  carriageReturns: number
  /** A quoted field holds what would mean null without quotes. */
  hasQuotedNull: boolean
  /** Where quoting breaks the rules; scanning stopped there. */
  malformed: { readonly at: number; readonly reason: string } | undefined
  /** Where the quote opened that the text ends inside. */
  openQuoteAt: number | undefined
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

const AT_FIELD_START = 0
const IN_FIELD = 1
const IN_QUOTES = 2
const AFTER_QUOTES = 3

/**
 * Finds where records end in CSV text that starts at a record. Strict: a quote inside an unquoted
 * field, or text after a closing quote, is malformed, since readers disagree about what it means.
 */
export function scanCsv(bytes: Buffer, dialect: CsvDialect, isLast: boolean): CsvScan {
  const scan = emptyScan()
  const delimiter = dialect.delimiter.charCodeAt(0)
  const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0)
  const nullLength = dialect.null.length
  let state = AT_FIELD_START
  let recordStart = 0
  let quoteAt = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (state === IN_QUOTES) {
      if (byte === quote) state = AFTER_QUOTES
    } else if (byte === LINE_FEED) {
      const fieldEnd = bytes[i - 1] === CARRIAGE_RETURN ? i - 1 : i
      if (state === AFTER_QUOTES && fieldEnd - quoteAt <= nullLength + 2) scan.hasQuotedNull = true
      endRecord(scan, bytes, recordStart, i)
      recordStart = i + 1
      state = AT_FIELD_START
    } else if (byte === delimiter) {
      if (state === AFTER_QUOTES && i - quoteAt <= nullLength + 2) scan.hasQuotedNull = true
      state = AT_FIELD_START
    } else if (byte === quote) {
      if (state === IN_FIELD) {
        scan.malformed = { at: i, reason: 'a quote inside a field that does not begin with one' }
        return scan
      }
      if (state === AT_FIELD_START) quoteAt = i
      scan.hasQuotes = true
      state = IN_QUOTES
    } else if (state === AT_FIELD_START) {
      state = IN_FIELD
    } else if (state === AFTER_QUOTES && !isLineEnd(bytes, i, isLast)) {
      scan.malformed = { at: i, reason: 'text after a closing quote' }
      return scan
    }
  }
  if (state === IN_QUOTES) scan.openQuoteAt = quoteAt
  else if (isLast && recordStart < bytes.length) {
    if (state === AFTER_QUOTES) scan.hasQuotedNull = true
    scan.end = bytes.length
    scan.records++
  }
  return scan
}

function emptyScan(): CsvScan {
  return {
    end: 0,
    records: 0,
    emptyLines: 0,
    hasQuotes: false,
    lineFeeds: 0,
    carriageReturns: 0,
    hasQuotedNull: false,
    malformed: undefined,
    openQuoteAt: undefined,
  }
}

function endRecord(scan: CsvScan, bytes: Buffer, start: number, lineFeed: number): void {
  const hasReturn = lineFeed > start && bytes[lineFeed - 1] === CARRIAGE_RETURN
  scan.end = lineFeed + 1
  scan.lineFeeds++
  if (hasReturn) scan.carriageReturns++
  if (lineFeed - (hasReturn ? 1 : 0) === start) scan.emptyLines++
  else scan.records++
}

/** A carriage return before a line feed, or where the rest is not read yet. */
function isLineEnd(bytes: Buffer, at: number, isLast: boolean): boolean {
  if (bytes[at] !== CARRIAGE_RETURN) return false
  if (at + 1 === bytes.length) return !isLast
  return bytes[at + 1] === LINE_FEED
}
