import type { ObjectShape, Shape } from './json-shape.ts'

/** Returned when the text is laid out in another way than ours; JSON.parse then has its say. */
export const UNSCANNED: unique symbol = Symbol('not laid out as our encoder does')

/** Reads one value's bytes, or says {@link UNSCANNED}. */
export type JsonScan = (bytes: Buffer, start: number, end: number) => unknown

const SCANNED_KINDS = ['string', 'uuid', 'integer', 'number', 'boolean', 'date']

/**
 * A reader for flat objects that takes the values straight out of the bytes, if these stand as our
 * encoder writes them: the schema's properties in order, no white space, no escapes. Whatever else it
 * meets it leaves to JSON.parse, so it changes no result.
 *
 * It is compiled from the property names, since only an object literal gives all values one hidden
 * class. Undefined for shapes that it is not for.
 */
export function compileScan(shape: Shape): JsonScan | undefined {
  if (shape.kind !== 'object' || shape.properties.length === 0) return undefined
  const fields = fieldsOf(shape)
  if (fields === undefined) return undefined
  const reads = fields.map(({ name, kind, isNullable }, index) => {
    const before = `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`
    const read = `s.${kind}(b${kind === 'string' ? `, ${index}` : ''})`
    const value = isNullable ? `s.isNull(b) ? null : ${read}` : read
    return `${expectBytes(before)}const v${index} = ${value};`
  })
  const members = fields.map(({ name }, index) => `${JSON.stringify(name)}: v${index}`)
  const body = `return (b, start, end) => {
    s.position = start; s.isMissed = false;
    ${reads.join('\n    ')}
    ${expectBytes('}')}
    return s.isMissed || s.position !== end ? UNSCANNED : { ${members.join(', ')} };
  }`
  // oxlint-disable-next-line typescript/no-implied-eval -- names enter as JSON string literals only
  return new Function('s', 'UNSCANNED', body)(new Scanner(), UNSCANNED) as JsonScan
}

interface ScannedField {
  readonly name: string
  readonly kind: string
  readonly isNullable: boolean
}

function fieldsOf({ properties, rest }: ObjectShape): ScannedField[] | undefined {
  if (rest !== undefined && rest.kind !== 'any') return undefined
  const fields: ScannedField[] = []
  for (const { name, shape } of properties) {
    const options = shape.kind === 'union' ? shape.options : [shape]
    const [plain, ...others] = options.filter(({ kind }) => kind !== 'null')
    // oxlint-disable-next-line no-control-regex -- a name is compared byte by byte
    const isPlainName = /^[\u0020-\u007e]*$/.test(name) && !(name in Object.prototype)
    if (plain === undefined || others.length > 0 || !isPlainName) return undefined
    if (!SCANNED_KINDS.includes(plain.kind)) return undefined
    const kind = plain.kind === 'uuid' ? 'string' : plain.kind
    fields.push({ name, kind, isNullable: options.length > 1 })
  }
  return fields
}

/** Code that steps over these bytes, or gives up. */
function expectBytes(text: string): string {
  const differs = Array.from(text, (char, i) => `b[p + ${i}] !== ${char.charCodeAt(0)}`)
  return `{ const p = s.position; if (${differs.join(' || ')}) return UNSCANNED; s.position = p + ${text.length}; }
    `
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
/** Below 10^15 every integer, and its quotient by a power of ten up to 10^22, is exact or rightly rounded. */
const DIGITS_MAX = 15
/** Texts up to this length are looked up rather than made anew: columns repeat themselves. */
const REMEMBERED_LENGTH = 16
const REMEMBERED_TEXTS = 512

/** Reads values from bytes at `position`. */
class Scanner {
  position = 0
  /** Something was not as our encoder writes it. */
  isMissed = false
  /** By property, then by hash: the last text seen there. */
  readonly #texts: string[][] = []
  #digits = 0

  integer(bytes: Buffer): number {
    const isNegative = bytes[this.position] === MINUS
    if (isNegative) this.position++
    const first = this.position
    const value = this.#digitsFrom(bytes)
    const hasLeadingZero = bytes[first] === ZERO && (this.#digits > 1 || isNegative)
    if (this.#digits === 0 || this.#digits > DIGITS_MAX || hasLeadingZero) this.isMissed = true
    return isNegative ? -value : value
  }

  number(bytes: Buffer): number {
    const isNegative = bytes[this.position] === MINUS
    const whole =
      isNegative && bytes[this.position + 1] === ZERO ? this.#minusZero() : this.integer(bytes)
    if (bytes[this.position] !== POINT) {
      if (Object.is(whole, -0)) this.isMissed = true
      return whole
    }
    const wholeDigits = this.#digits
    this.position++
    const fraction = this.#digitsFrom(bytes)
    const digits = this.#digits
    if (digits === 0 || wholeDigits + digits > DIGITS_MAX) this.isMissed = true
    const scale = 10 ** digits
    const value = (Math.abs(whole) * scale + fraction) / scale
    return isNegative ? -value : value
  }

  date(bytes: Buffer): Date {
    // oxlint-disable-next-line no-restricted-globals -- the type of a value, not the time
    return new Date(this.integer(bytes))
  }

  boolean(bytes: Buffer): boolean {
    const at = this.position
    if (
      bytes[at] === 0x74 &&
      bytes[at + 1] === 0x72 &&
      bytes[at + 2] === 0x75 &&
      bytes[at + 3] === 0x65
    ) {
      this.position = at + 4
      return true
    }
    const isFalse =
      bytes[at] === 0x66 &&
      bytes[at + 1] === 0x61 &&
      bytes[at + 2] === 0x6c &&
      bytes[at + 3] === 0x73 &&
      bytes[at + 4] === 0x65
    if (!isFalse) this.isMissed = true
    this.position = at + 5
    return false
  }

  isNull(bytes: Buffer): boolean {
    const at = this.position
    const isNull =
      bytes[at] === 0x6e &&
      bytes[at + 1] === 0x75 &&
      bytes[at + 2] === 0x6c &&
      bytes[at + 3] === 0x6c
    if (isNull) this.position = at + 4
    return isNull
  }

  string(bytes: Buffer, property: number): string {
    const start = this.position + 1
    if (bytes[this.position] !== QUOTE) {
      this.isMissed = true
      return ''
    }
    let at = start
    let hash = 0
    let highest = 0
    for (; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (byte === QUOTE) break
      if (byte === BACKSLASH || byte < 0x20) {
        this.isMissed = true
        return ''
      }
      highest |= byte
      hash = (hash * 31 + byte) | 0
    }
    this.position = at + 1
    if (highest >= 0x80) return this.#wideText(bytes, start, at)
    return at - start > REMEMBERED_LENGTH
      ? bytes.toString('latin1', start, at)
      : this.#remembered(bytes, start, at, property, hash)
  }

  #digitsFrom(bytes: Buffer): number {
    let value = 0
    const first = this.position
    let at = first
    for (; ; at++) {
      const digit = (bytes[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    this.position = at
    this.#digits = at - first
    return value
  }

  /** `-0` of a fraction such as -0.5; alone it is left to JSON.parse. */
  #minusZero(): number {
    this.position += 2
    this.#digits = 1
    return -0
  }

  #wideText(bytes: Buffer, start: number, end: number): string {
    const text = bytes.toString('utf8', start, end)
    if (text.includes('\ufffd')) this.isMissed = true
    return text
  }

  #remembered(bytes: Buffer, start: number, end: number, property: number, hash: number): string {
    const texts = (this.#texts[property] ??= Array.from<string>({ length: REMEMBERED_TEXTS }).fill(
      '',
    ))
    const slot = (hash ^ (hash >>> 9)) & (REMEMBERED_TEXTS - 1)
    const known = texts[slot] ?? ''
    if (known.length === end - start && isSame(known, bytes, start)) return known
    return (texts[slot] = bytes.toString('latin1', start, end))
  }
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}
