import { misfit, within } from './misfit.ts'

const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number

/**
 * Whether nothing that JSON.parse gave can have been rounded to another integer, or to Infinity. It
 * runs for every value without a schema (measured: 6 to 11 % of JSON.parse), so members are looked at
 * in place.
 */
export function isHeld(parsed: unknown): boolean {
  if (typeof parsed === 'number') return parsed <= MAX_SAFE_INTEGER && parsed >= MIN_SAFE_INTEGER
  if (typeof parsed !== 'object' || parsed === null) return true
  return Array.isArray(parsed) ? areHeld(parsed) : areMembersHeld(parsed)
}

function areHeld(items: readonly unknown[]): boolean {
  for (const item of items) {
    if (typeof item !== 'string' && !isHeld(item)) return false
  }
  return true
}

function areMembersHeld(members: object): boolean {
  for (const name in members) {
    const member = (members as Readonly<Record<string, unknown>>)[name]
    if (typeof member === 'string') continue
    if (typeof member === 'number') {
      if (member <= MAX_SAFE_INTEGER && member >= MIN_SAFE_INTEGER) continue
      return false
    }
    if (!isHeld(member)) return false
  }
  return true
}

/**
 * Makes numbers of the bigints that an exact pass has put in their place.
 *
 * @throws a misfit where a number would be another integer, or is not finite.
 */
export function refuseRounded(parsed: unknown): unknown {
  if (typeof parsed === 'bigint') return numberOf(parsed)
  if (typeof parsed === 'number' && !Number.isFinite(parsed)) {
    throw misfit('a finite number: its literal is beyond 1.8e308. Write it as text', parsed)
  }
  if (typeof parsed !== 'object' || parsed === null) return parsed
  const isArray = Array.isArray(parsed)
  const members = parsed as Record<string, unknown>
  for (const name of Object.keys(members)) {
    try {
      members[name] = refuseRounded(members[name])
    } catch (caught) {
      throw within(isArray ? Number(name) : name, caught)
    }
  }
  return parsed
}

/**
 * The number that stands for an integer literal: one that is written with the same digits again.
 *
 * @throws a misfit when there is none.
 */
export function numberOf(integer: bigint): number {
  const number = Number(integer)
  if (isWrittenAs(number, `${integer < 0n ? -integer : integer}`)) return number
  throw misfit(
    `a number that JavaScript has: it would become ${number}. ` +
      'Read it by a schema with z.bigint() there, or write it as text',
    integer,
  )
}

function isWrittenAs(number: number, digits: string): boolean {
  const [mantissa = '', exponent = ''] = Math.abs(number).toExponential().split('e')
  return mantissa.replace('.', '').padEnd(Number(exponent) + 1, '0') === digits
}
