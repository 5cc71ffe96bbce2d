import type { ObjectShape, Shape } from './json-shape.ts'
import { ownMember } from './json-encoder.ts'
import { refuseRounded, isHeld, numberOf } from './json-number.ts'
import { deeper, misfit, within } from './misfit.ts'

/**
 * Turns what JSON.parse gave into the shape's types, in place where it can. `isExact` says that
 * integers beyond 2^53 were parsed as bigints.
 */
export type JsonDecoder = (parsed: unknown, isExact: boolean) => unknown

/** Thrown when a number needs its exact digits: parse again, exactly. */
export const INEXACT: unique symbol = Symbol('a number beyond 2^53')

/** Builds the decoder of a shape once, so that each value pays for its own checks only. */
export function compileDecoder(shape: Shape): JsonDecoder {
  switch (shape.kind) {
    case 'any':
      return decodeAny
    case 'string':
    case 'uuid':
      return decodeString
    case 'number':
      return decodeNumber
    case 'integer':
      return decodeInteger
    case 'boolean':
      return decodeBoolean
    case 'null':
      return decodeNull
    case 'date':
      return decodeDate
    case 'bigint':
      return decodeBigint
    case 'array':
      return compileItems([], shape.items)
    case 'tuple':
      return compileItems(shape.items, shape.rest)
    case 'object':
      return compileObject(shape)
    case 'union':
      return compileUnion(shape.options)
    case 'reference':
      return compileReference(shape.resolve)
  }
}

const INTEGER_TEXT = /^-?\d+$/

/** Parses with integers beyond 2^53 as bigints. Slower: only for text that has some. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = context?.source ?? ''
    return INTEGER_TEXT.test(source) ? BigInt(source) : value
  })
}

/** Whatever JSON.parse gives, but no number that JSON.parse had to round to an integer, or to Infinity. */
export function decodeAny(parsed: unknown, isExact: boolean): unknown {
  if (isExact) return refuseRounded(parsed)
  if (!isHeld(parsed)) throw INEXACT
  return parsed
}

function decodeString(parsed: unknown): unknown {
  if (typeof parsed !== 'string') throw misfit('a string', parsed)
  return parsed
}

function decodeNumber(parsed: unknown, isExact: boolean): unknown {
  if (typeof parsed === 'number' && isHeld(parsed)) return parsed
  if (typeof parsed === 'bigint') return numberOf(parsed)
  if (typeof parsed !== 'number' || !Number.isFinite(parsed)) {
    throw misfit('a finite number', parsed)
  }
  if (!isExact) throw INEXACT
  return parsed
}

function decodeInteger(parsed: unknown, isExact: boolean): unknown {
  if (Number.isSafeInteger(parsed)) return parsed
  if (typeof parsed === 'bigint' || Number.isInteger(parsed)) return decodeNumber(parsed, isExact)
  throw misfit('an integer', parsed)
}

function decodeBoolean(parsed: unknown): unknown {
  if (typeof parsed !== 'boolean') throw misfit('a boolean', parsed)
  return parsed
}

function decodeNull(parsed: unknown): unknown {
  if (parsed !== null) throw misfit('null', parsed)
  return parsed
}

function decodeDate(parsed: unknown): unknown {
  if (typeof parsed !== 'number') throw misfit('a time in milliseconds', parsed)
  // oxlint-disable-next-line no-restricted-globals -- the type of a value, not the time
  const date = new Date(parsed)
  if (Number.isNaN(date.getTime())) throw misfit('a time in milliseconds', parsed)
  return date
}

function decodeBigint(parsed: unknown, isExact: boolean): unknown {
  if (typeof parsed === 'bigint') return parsed
  if (Number.isSafeInteger(parsed)) return BigInt(parsed as number)
  if (typeof parsed === 'number' && !isExact) throw INEXACT
  throw misfit('an integer', parsed)
}

function compileItems(prefix: readonly Shape[], rest: Shape | undefined): JsonDecoder {
  const decoders = prefix.map(compileDecoder)
  const decodeRest = rest === undefined ? undefined : compileDecoder(rest)
  return (parsed, isExact) => {
    if (!Array.isArray(parsed)) throw misfit('an array', parsed)
    if (decodeRest === undefined && parsed.length !== decoders.length) {
      throw misfit(`${decoders.length} items`, parsed)
    }
    for (let index = 0; index < parsed.length; index++) {
      const decode = decoders[index] ?? decodeRest ?? decodeAny
      try {
        parsed[index] = decode(parsed[index], isExact)
      } catch (caught) {
        throw within(index, caught)
      }
    }
    return parsed
  }
}

interface Field {
  readonly name: string
  readonly isOptional: boolean
  readonly isInheritedName: boolean
  readonly decode: JsonDecoder
}

function compileObject({ properties, rest }: ObjectShape): JsonDecoder {
  const fields: Field[] = properties.map(({ name, shape, isOptional }) => ({
    name,
    isOptional,
    isInheritedName: name in Object.prototype,
    decode: compileDecoder(shape),
  }))
  const named = new Set(properties.map(({ name }) => name))
  const decodeRest = rest === undefined || rest.kind === 'any' ? undefined : compileDecoder(rest)
  return (parsed, isExact) => {
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw misfit('an object', parsed)
    }
    // JSON.parse makes even "__proto__" an own property, so assigning to those there is harmless.
    const members = parsed as Record<string, unknown>
    let place = ''
    try {
      for (const { name, isOptional, isInheritedName, decode } of fields) {
        place = name
        const member = isInheritedName ? ownMember(members, name) : members[name]
        if (member === undefined && isOptional) continue
        const decoded = decode(member, isExact)
        if (decoded !== member) members[name] = decoded
      }
      if (decodeRest === undefined) return members
      for (const name of Object.keys(members)) {
        place = name
        if (!named.has(name)) members[name] = decodeRest(members[name], isExact)
      }
      return members
    } catch (caught) {
      throw within(place, caught)
    }
  }
}

function compileUnion(options: readonly Shape[]): JsonDecoder {
  const decoders = options.map(compileDecoder)
  return (parsed, isExact) => {
    let reason: unknown
    for (const decode of decoders) {
      try {
        return decode(parsed, isExact)
      } catch (caught) {
        if (caught === INEXACT) throw caught
        reason = deeper(reason, caught)
      }
    }
    throw reason
  }
}

function compileReference(resolve: () => Shape): JsonDecoder {
  let decode: JsonDecoder | undefined
  return (parsed, isExact) => (decode ??= compileDecoder(resolve()))(parsed, isExact)
}
