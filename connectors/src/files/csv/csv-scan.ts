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

/**
 * Finds where records end in CSV text that starts at a record. Strict: a quote inside an unquoted
 * field, or text after a closing quote, is malformed, since readers disagree about what it means.
 */
export function scanCsv(bytes: Buffer, dialect: CsvDialect, isLast: boolean): CsvScan {
  const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0)
  const isPlain = quote < 0 || !bytes.includes(quote)
  return (isPlain ? scanPlain(bytes, isLast) : undefined) ?? scanFields(bytes, dialect, isLast)
}

/** Of text without quotes; undefined when its lines have to be looked at one by one. */
function scanPlain(bytes: Buffer, isLast: boolean): CsvScan | undefined {
  if (bytes.includes(CARRIAGE_RETURN) || bytes.includes('\n\n') || bytes[0] === LINE_FEED) {
    return undefined
  }
  const scan = emptyScan()
  const { length } = bytes
  for (let i = 0; i < length; i++) if (bytes[i] === LINE_FEED) scan.lineFeeds++
  scan.end = isLast ? length : bytes.lastIndexOf(LINE_FEED) + 1
  const isLastOpen = isLast && length > 0 && bytes[length - 1] !== LINE_FEED
  scan.records = scan.lineFeeds + (isLastOpen ? 1 : 0)
  return scan
}

function scanFields(bytes: Buffer, dialect: CsvDialect, isLast: boolean): CsvScan {
  const scan = emptyScan()
  const delimiter = dialect.delimiter.charCodeAt(0)
  const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0)
  const nullLength = dialect.null.length
  const { length } = bytes
  let recordStart = 0
  let isQuoted = false
  for (let i = 0; i < length; i++) {
    const fieldStart = i
    isQuoted = bytes[i] === quote
    if (isQuoted) {
      scan.hasQuotes = true
      i = quotedEnd(bytes, i, quote)
      if (i < 0) {
        scan.openQuoteAt = fieldStart
        return scan
      }
      if (i < length && bytes[i] !== delimiter && bytes[i] !== LINE_FEED) {
        if (!isLineEnd(bytes, i, isLast)) {
          scan.malformed = { at: i, reason: 'text after a closing quote' }
          return scan
        }
        i++
      }
    } else {
      while (i < length && bytes[i] !== delimiter && bytes[i] !== LINE_FEED && bytes[i] !== quote) {
        i++
      }
      if (i < length && bytes[i] === quote) {
        scan.malformed = { at: i, reason: 'a quote inside a field that does not begin with one' }
        return scan
      }
    }
    const isLineOver = bytes[i] === LINE_FEED
    if (isQuoted && (isLineOver || bytes[i] === delimiter)) {
      const fieldEnd = isLineOver && bytes[i - 1] === CARRIAGE_RETURN ? i - 1 : i
      if (fieldEnd - fieldStart <= nullLength + 2) scan.hasQuotedNull = true
    }
    if (!isLineOver) continue
    endRecord(scan, bytes, recordStart, i)
    recordStart = i + 1
  }
  if (isLast && recordStart < length) {
    // Text that ends after a delimiter has a last field of nothing.
    if (isQuoted && bytes[length - 1] !== delimiter) scan.hasQuotedNull = true
    scan.end = length
    scan.records++
  }
  return scan
}

/** Where a quoted field ends, after its closing quote; −1 when it is not closed. */
function quotedEnd(bytes: Buffer, start: number, quote: number): number {
  const { length } = bytes
  let i = start + 1
  for (;;) {
    while (i < length && bytes[i] !== quote) i++
    if (i >= length) return -1
    if (bytes[i + 1] !== quote) return i + 1
    i += 2
  }
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
