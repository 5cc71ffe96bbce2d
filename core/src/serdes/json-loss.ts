import { misfit, within } from './misfit.ts'

/** What JSON writes as the text, number or boolean that it wraps. */
const WRAPPERS = ['[object String]', '[object Number]', '[object Boolean]']

/**
 * Whether JSON.stringify would write something else than what this object holds: `{}` for a Map, a
 * Promise, an Error, or an object whose all is private.
 */
export function isOpaque(value: object): boolean {
  if (Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Asked so, since the Object of another realm is another one.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return false
  const tag = Object.prototype.toString.call(value)
  if (tag === '[object Object]') return Object.keys(value).length === 0
  return !WRAPPERS.includes(tag)
}

/** Says that JSON can't hold an opaque object, and what to do. */
export function opaque(value: object): unknown {
  if (value instanceof Promise) {
    return misfit('what it will be: await it, with mapAsync instead of map', value)
  }
  return misfit('something JSON can hold: make a plain object, array or text of it', value)
}

/**
 * Looks for what JSON.stringify leaves out or writes as something else.
 *
 * @throws a misfit with the path to it.
 */
export function refuseLost(value: unknown, name = ''): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw misfit('a finite number', value)
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw misfit('something JSON can hold', value)
  }
  if (typeof value !== 'object' || value === null) return
  // oxlint-disable-next-line no-restricted-globals -- the type of a value, not the time
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw misfit('a valid Date', 'Invalid Date')
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    const stand: unknown = value.toJSON(name)
    if (stand !== value) return refuseLost(stand)
  }
  if (isOpaque(value)) throw opaque(value)
  if (Array.isArray(value)) refuseLostItems(value)
  else refuseLostMembers(value)
}

function refuseLostItems(items: readonly unknown[]): void {
  for (let index = 0; index < items.length; index++) {
    try {
      // JSON has null for it.
      if (items[index] === undefined) throw misfit('something JSON can hold', undefined)
      refuseLost(items[index], `${index}`)
    } catch (caught) {
      throw within(index, caught)
    }
  }
}

function refuseLostMembers(members: object): void {
  for (const name of Object.keys(members)) {
    try {
      refuseLost((members as Readonly<Record<string, unknown>>)[name], name)
    } catch (caught) {
      throw within(name, caught)
    }
  }
}
