import { RejectedError } from '@millrace/core'
import { isOpaque } from '@millrace/core/internal'

/**
 * JSON that keeps what JSON alone would lose or refuse: dates, bigints, bytes, undefined, NaN and the
 * infinities, written as objects with one `$` property. State and internal topics are written in it;
 * plain data is plain JSON.
 *
 * @throws RejectedError RECORD_INVALID for a promise, a Map, a function and the like.
 */
export function stringifyRich(value: unknown): string {
  return JSON.stringify(isPlain(value) ? value : tag(value))
}

/** @throws SyntaxError when the text is not JSON. */
export function parseRich(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return text.includes('"$') ? untag(value) : value
}

// Whether JSON.stringify alone is faithful. Cheap on purpose: it runs for every record.
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (Array.isArray(value)) return value.every(isPlain)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const name in value) {
    if (name.charCodeAt(0) === 36 || !isPlain((value as Record<string, unknown>)[name]))
      return false
  }
  return true
}

function tag(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return { $bigint: value.toString() }
    case 'undefined':
      return { $undefined: true }
    case 'number':
      if (Object.is(value, -0)) return { $number: '-0' }
      return Number.isFinite(value) ? value : { $number: String(value) }
    case 'object':
      return value === null ? null : tagObject(value)
    case 'function':
    case 'symbol':
      throw lost(`a ${typeof value}`)
    default:
      return value
  }
}

function tagObject(value: object): unknown {
  if (value instanceof Date) return { $date: tag(value.getTime()) }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(tag)
  if ('toJSON' in value && typeof value.toJSON === 'function') return tag(value.toJSON())
  if (isOpaque(value)) throw lost(`an object of the class ${value.constructor.name}`)
  const tagged = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, tag(part)]))
  return Object.keys(value).some((name) => name.startsWith('$')) ? { $object: tagged } : tagged
}

function lost(what: string): RejectedError {
  return new RejectedError(
    'RECORD_INVALID',
    `Keys, state and internal topics can't hold ${what}. Make a plain object, array or text of it; await a promise.`,
  )
}

function untag(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(untag)
  const [name, part] = Object.entries(value)[0] ?? []
  switch (name) {
    case '$bigint':
      return BigInt(part as string)
    case '$undefined':
      return undefined
    case '$number':
      return Number(part)
    case '$date':
      return new Date(untag(part) as number)
    case '$bytes':
      return Buffer.from(part as string, 'base64')
    case '$object':
      return untagProperties(part as object)
    default:
      return untagProperties(value)
  }
}

function untagProperties(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, untag(part)]))
}
