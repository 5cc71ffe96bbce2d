import type { ObjectShape, Property, Shape } from './json-shape.ts'
import { isOpaque, opaque, refuseLost } from './json-loss.ts'
import { deeper, misfit, within } from './misfit.ts'
import { timeOfText } from './time-text.ts'

/** Writes a value's JSON text; throws a misfit with the path to what does not fit. */
export type JsonEncoder = (value: unknown) => string

/** Builds the encoder of a shape once, so that each value pays for nothing but its own text. */
export function compileEncoder(shape: Shape): JsonEncoder {
  switch (shape.kind) {
    case 'any':
      return encodeAny
    case 'string':
    case 'uuid':
      return encodeString
    case 'number':
      return encodeNumber
    case 'integer':
      return encodeInteger
    case 'boolean':
      return encodeBoolean
    case 'null':
      return encodeNull
    case 'date':
      return encodeDate
    case 'bigint':
      return encodeBigint
    case 'array':
      return compileArray(shape.items)
    case 'tuple':
      return compileTuple(shape.items, shape.rest)
    case 'object':
      return compileObject(shape)
    case 'union':
      return compileUnion(shape.options)
    case 'reference':
      return compileReference(shape.resolve)
  }
}

const SHORT_TEXT_LENGTH = 48
// oxlint-disable-next-line no-control-regex -- JSON text may not hold them
const NEEDS_ESCAPES = /["\\\u0000-\u001f\ud800-\udfff]/

function encodeString(value: unknown): string {
  if (typeof value !== 'string') throw misfit('a string', value)
  // Lone surrogates become escapes, so even those come back as they were.
  return needsEscapes(value) ? JSON.stringify(value) : `"${value}"`
}

function needsEscapes(text: string): boolean {
  if (text.length > SHORT_TEXT_LENGTH) return NEEDS_ESCAPES.test(text)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || (unit >= 0xd800 && unit <= 0xdfff)) {
      return true
    }
  }
  return false
}

function encodeNumber(value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw misfit('a finite number', value)
  return `${value}`
}

function encodeInteger(value: unknown): string {
  if (!Number.isInteger(value)) throw misfit('an integer', value)
  return `${value as number}`
}

function encodeBoolean(value: unknown): string {
  if (typeof value !== 'boolean') throw misfit('a boolean', value)
  return value ? 'true' : 'false'
}

function encodeNull(value: unknown): string {
  if (value !== null) throw misfit('null', value)
  return 'null'
}

function encodeDate(value: unknown): string {
  // Milliseconds since 1970 are how a date stands in the log, and how Parquet files give one, text is
  // how others do; either may have microseconds, which a Date can't hold.
  const ms = typeof value === 'string' ? timeOfText(value) : value
  if (Number.isFinite(ms)) return `${Math.floor(ms as number)}`
  // oxlint-disable-next-line no-restricted-globals -- the type of a value, not the time
  if (!(value instanceof Date)) throw misfit('a Date', value)
  const timestampMs = value.getTime()
  if (Number.isNaN(timestampMs)) throw misfit('a valid Date', 'Invalid Date')
  return `${timestampMs}`
}

function encodeBigint(value: unknown): string {
  // File sources give one only where a number could not hold the digits.
  if (Number.isSafeInteger(value)) return `${value as number}`
  if (typeof value !== 'bigint') throw misfit('a bigint', value)
  return `${value}`
}

/**
 * Whatever JSON can hold, as JSON.stringify writes it (a Date becomes ISO text), but nothing that it
 * would quietly leave out, or turn into null or `{}`.
 */
export function encodeAny(value: unknown): string {
  const text = stringify(value)
  if (text === undefined) throw misfit('something JSON can hold', value)
  refuseLost(value)
  return text
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (caught) {
    // Once more, slower, to name the property that is at fault.
    JSON.stringify(value, (name, member: unknown) => {
      if (typeof member !== 'bigint') return member
      const reason = misfit('a number: for bigints give json() a schema with them', member)
      throw name === '' ? reason : within(name, reason)
    })
    throw caught
  }
}

function compileArray(items: Shape): JsonEncoder {
  const encode = compileEncoder(items)
  return (value) => {
    if (!Array.isArray(value)) throw misfit('an array', value)
    return encodeItems(value, () => encode)
  }
}

function compileTuple(items: readonly Shape[], rest: Shape | undefined): JsonEncoder {
  const encoders = items.map(compileEncoder)
  const encodeRest = rest === undefined ? undefined : compileEncoder(rest)
  return (value) => {
    if (!Array.isArray(value)) throw misfit('an array', value)
    if (encodeRest === undefined && value.length !== encoders.length) {
      throw misfit(`${encoders.length} items`, value)
    }
    return encodeItems(value, (index) => encoders[index] ?? encodeRest ?? encodeAny)
  }
}

function encodeItems(items: readonly unknown[], encoderAt: (index: number) => JsonEncoder): string {
  let text = '['
  for (let index = 0; index < items.length; index++) {
    try {
      text += (index === 0 ? '' : ',') + encoderAt(index)(items[index])
    } catch (caught) {
      throw within(index, caught)
    }
  }
  return `${text}]`
}

interface Field {
  readonly name: string
  readonly opening: string
  readonly following: string
  readonly isOptional: boolean
  readonly isInheritedName: boolean
  readonly encode: JsonEncoder
}

function compileObject({ properties, rest }: ObjectShape): JsonEncoder {
  const fields = properties.map(compileField)
  const encodeRest = rest === undefined ? undefined : compileRest(properties, rest)
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw misfit('an object', value)
    }
    const members = value as Readonly<Record<string, unknown>>
    let text = ''
    let place = ''
    try {
      for (const field of fields) {
        place = field.name
        const member = field.isInheritedName ? ownMember(members, place) : members[place]
        if (member === undefined && field.isOptional) continue
        text += (text === '' ? field.opening : field.following) + field.encode(member)
      }
    } catch (caught) {
      throw within(place, caught)
    }
    if (encodeRest !== undefined) text = encodeRest(members, text)
    if (text !== '') return `${text}}`
    if (isOpaque(value)) throw opaque(value)
    return '{}'
  }
}

function compileField({ name, shape, isOptional }: Property): Field {
  const label = `${JSON.stringify(name)}:`
  return {
    name,
    opening: `{${label}`,
    following: `,${label}`,
    isOptional,
    isInheritedName: name in Object.prototype,
    encode: compileEncoder(shape),
  }
}

/** A property of the value's own: `constructor` and its like are inherited by every object. */
export function ownMember(members: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

type RestEncoder = (members: Readonly<Record<string, unknown>>, text: string) => string

function compileRest(properties: readonly Property[], rest: Shape): RestEncoder {
  const named = new Set(properties.map(({ name }) => name))
  const encode = compileEncoder(rest)
  return (members, start) => {
    let text = start
    for (const name of Object.keys(members)) {
      if (named.has(name) || members[name] === undefined) continue
      try {
        text += `${text === '' ? '{' : ','}${JSON.stringify(name)}:${encode(members[name])}`
      } catch (caught) {
        throw within(name, caught)
      }
    }
    return text
  }
}

function compileUnion(options: readonly Shape[]): JsonEncoder {
  const encoders = options.map(compileEncoder)
  return (value) => {
    let reason: unknown
    for (const encode of encoders) {
      try {
        return encode(value)
      } catch (caught) {
        reason = deeper(reason, caught)
      }
    }
    throw reason
  }
}

function compileReference(resolve: () => Shape): JsonEncoder {
  let encode: JsonEncoder | undefined
  return (value) => (encode ??= compileEncoder(resolve()))(value)
}
