const QUOTE = 0x22
const BACKSLASH = 0x5c
const LINE_FEED = 0x0a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const depthMax = 200

/**
 * Finds the values of an object on a line, by the columns that its properties go to, without reading
 * them. Strict where it matters for telling values apart; what it is not sure of, it leaves to
 * `JSON.parse`.
 */
export class JsonScanner {
  static readonly nothing = 0
  static readonly string = 1
  /** A string with escapes. */
  static readonly escaped = 2
  static readonly number = 3
  static readonly boolean = 4
  /** An array or object. */
  static readonly nested = 5

  /** By column: where its value begins and ends (quotes included), and its kind. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly kinds: Uint8Array
  /** The line holds white space only. */
  isBlank = false
  readonly #properties: ReadonlyMap<string, number>
  /** Names in the order of the last line, which the next most likely has too. */
  readonly #names: Buffer[] = []
  readonly #columns: number[] = []
  #kind = 0

  constructor(properties: ReadonlyMap<string, number>, columnCount: number) {
    this.#properties = properties
    this.starts = new Int32Array(columnCount)
    this.ends = new Int32Array(columnCount)
    this.kinds = new Uint8Array(columnCount)
  }

  /** Scans the line at `start`. Returns where the next begins; −1 when it is left to others. */
  scan(bytes: Buffer, start: number): number {
    this.kinds.fill(JsonScanner.nothing)
    let at = blank(bytes, start)
    this.isBlank = at === bytes.length || bytes[at] === LINE_FEED
    if (this.isBlank) return Math.min(at + 1, bytes.length)
    if (bytes[at] !== 0x7b) return -1
    at = blank(bytes, at + 1)
    if (bytes[at] === 0x7d) return lineEnd(bytes, at + 1)
    for (let place = 0; ; place++) {
      if (bytes[at] !== QUOTE) return -1
      const nameEnd = this.#name(bytes, at, place)
      if (nameEnd < 0) return -1
      at = blank(bytes, nameEnd)
      if (bytes[at] !== 0x3a) return -1
      at = blank(bytes, at + 1)
      const end = this.#value(bytes, at)
      if (end < 0) return -1
      const column = this.#columns[place] as number
      if (column >= 0) {
        this.starts[column] = at
        this.ends[column] = end
        this.kinds[column] = this.#kind
      }
      at = blank(bytes, end)
      if (bytes[at] === 0x7d) return lineEnd(bytes, at + 1)
      if (bytes[at] !== 0x2c) return -1
      at = blank(bytes, at + 1)
    }
  }

  /** Finds the column of the name that begins at `start`; returns where the name ends. */
  #name(bytes: Buffer, start: number, place: number): number {
    const expected = this.#names[place]
    if (expected !== undefined) {
      let at = 0
      while (at < expected.length && bytes[start + at] === expected[at]) at++
      if (at === expected.length) return start + at
    }
    const end = this.#string(bytes, start)
    if (end < 0 || this.#kind === JsonScanner.escaped) return -1
    const column = this.#properties.get(bytes.toString('utf8', start + 1, end - 1))
    if (column === undefined) return -1
    this.#names[place] = Buffer.from(bytes.subarray(start, end))
    this.#columns[place] = column
    return end
  }

  #value(bytes: Buffer, start: number): number {
    const first = bytes[start] as number
    if (first === QUOTE) return this.#string(bytes, start)
    if (first === MINUS || (first >= ZERO && first <= NINE)) {
      this.#kind = JsonScanner.number
      return numberEnd(bytes, start)
    }
    if (first === 0x7b || first === 0x5b) return this.#nested(bytes, start)
    if (first === 0x6e) {
      this.#kind = JsonScanner.nothing
      return wordEnd(bytes, start, 'null')
    }
    this.#kind = JsonScanner.boolean
    return wordEnd(bytes, start, first === 0x74 ? 'true' : 'false')
  }

  /** Returns where the string ends that begins at `start`, after its quote. */
  #string(bytes: Buffer, start: number): number {
    this.#kind = JsonScanner.string
    for (let at = start + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) return at + 1
      if (byte < 0x20) return -1
      if (byte !== BACKSLASH) continue
      this.#kind = JsonScanner.escaped
      at++
    }
    return -1
  }

  /** The server, or JSON.parse, sees to what is inside. */
  #nested(bytes: Buffer, start: number): number {
    let depth = 0
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (byte === QUOTE) {
        const end = this.#string(bytes, at)
        if (end < 0) return -1
        at = end - 1
      } else if (byte === 0x7b || byte === 0x5b) {
        depth++
        if (depth > depthMax) return -1
      } else if (byte === 0x7d || byte === 0x5d) {
        depth--
        if (depth > 0) continue
        this.#kind = JsonScanner.nested
        return at + 1
      } else if (byte === LINE_FEED) return -1
    }
    return -1
  }
}

/** Passes over white space within a line. */
function blank(bytes: Buffer, start: number): number {
  let at = start
  for (;;) {
    const byte = bytes[at]
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return at
    at++
  }
}

/** Where the next line begins, when nothing but white space is left of this one; else −1. */
function lineEnd(bytes: Buffer, start: number): number {
  const at = blank(bytes, start)
  if (at === bytes.length) return at
  return bytes[at] === LINE_FEED ? at + 1 : -1
}

function wordEnd(bytes: Buffer, start: number, word: string): number {
  for (let index = 0; index < word.length; index++) {
    if (bytes[start + index] !== word.charCodeAt(index)) return -1
  }
  return start + word.length
}

/** JSON's numbers: no leading zeros, no bare points. */
function numberEnd(bytes: Buffer, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start
  let at = digitsEnd(bytes, first)
  if (at === first || (bytes[first] === ZERO && at > first + 1)) return -1
  if (bytes[at] === 0x2e) {
    const fraction = at + 1
    at = digitsEnd(bytes, fraction)
    if (at === fraction) return -1
  }
  if (((bytes[at] as number) | 0x20) !== 0x65) return at
  at++
  if (bytes[at] === MINUS || bytes[at] === 0x2b) at++
  const end = digitsEnd(bytes, at)
  return end === at ? -1 : end
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start
  while ((bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at++
  return at
}
