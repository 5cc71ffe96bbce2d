/** A number of JSON that a double can't hold, as it was written; `JSON.stringify` writes it so again. */
export interface ExactNumber {
  readonly rawJSON: string
}

// Node has them; TypeScript's library doesn't yet.
const { rawJSON, isRawJSON } = JSON as typeof JSON & {
  rawJSON: (this: void, text: string) => ExactNumber
  isRawJSON: (this: void, value: unknown) => value is ExactNumber
}

export function isExactNumber(value: unknown): value is ExactNumber {
  return typeof value === 'object' && value !== null && isRawJSON(value)
}

/** Only numbers so long, or with such an exponent, may be more than a double holds. */
const LONG_NUMBER = /[\d.]{16}|\de[+-]?\d{3}/i

/**
 * Parses JSON text; integers past 2^53 become bigints, and other numbers that a double can't hold
 * {@link ExactNumber}s.
 *
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  return LONG_NUMBER.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text)
}

function keepNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value
  const source = context?.source ?? ''
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source)
  return digitsOf(source) === digitsOf(String(value)) ? value : rawJSON(source)
}

/** The same for all ways to write a number; undefined for what is none. */
function digitsOf(text: string): string | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text)
  if (parts === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  const zeros = digits.length - significant.length
  return significant === ''
    ? '0'
    : `${sign}${significant}e${Number(exponent) - fraction.length + zeros}`
}
