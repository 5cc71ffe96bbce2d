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
export function refuseLost(value: unknown): void {
  if (!isPlain(value)) refuse(value, '')
}

/** Whether all in a value is plain, so that nothing can be lost: 10 ns for three members, for every value. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return isPlainScalar(value)
  if (value === null) return true
  return Array.isArray(value)
    ? areItemsPlain(value)
    : areMembersPlain(value as Readonly<Record<string, unknown>>)
}

function isPlainScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || value === undefined
}

function areItemsPlain(items: readonly unknown[]): boolean {
  if ('toJSON' in items) return false
  // Not by `every`, which passes over holes: JSON has null for them.
  for (const item of items) if (item === undefined || !isPlain(item)) return false
  return true
}

function areMembersPlain(members: Readonly<Record<string, unknown>>): boolean {
  if (members['toJSON'] !== undefined) return isUsualDate(members)
  if (Object.getPrototypeOf(members) !== Object.prototype) return false
  // Not by `Object.keys`, which makes an array.
  for (const name in members) {
    const member = members[name]
    if (typeof member !== 'string' && !isPlain(member)) return false
  }
  return true
}

/** One that JSON.stringify writes as its ISO text. */
function isUsualDate(value: object): boolean {
  // oxlint-disable-next-line no-restricted-globals -- the type of a value, not the time
  if (!(value instanceof Date) || value.toJSON !== Date.prototype.toJSON) return false
  return !Number.isNaN(value.getTime())
}

function refuse(value: unknown, name: string): void {
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
    if (stand !== value) return refuse(stand, '')
  }
  if (isOpaque(value)) throw opaque(value)
  if (Array.isArray(value)) refuseItems(value)
  else refuseMembers(value)
}

function refuseItems(items: readonly unknown[]): void {
  for (let index = 0; index < items.length; index++) {
    try {
      // JSON has null for it.
      if (items[index] === undefined) throw misfit('something JSON can hold', undefined)
      refuse(items[index], `${index}`)
    } catch (caught) {
      throw within(index, caught)
    }
  }
}

function refuseMembers(members: object): void {
  for (const name of Object.keys(members)) {
    try {
      refuse((members as Readonly<Record<string, unknown>>)[name], name)
    } catch (caught) {
      throw within(name, caught)
    }
  }
}
