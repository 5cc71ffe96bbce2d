import { UsageError } from '../errors.ts'
import { didYouMean } from './did-you-mean.ts'

/** What is wrong in a value: where in it (such as `.attempts`, empty: the whole), and what. */
export interface Misfit {
  readonly path: string
  /** Such as `must be one of asc, desc, not "up"`. */
  readonly problem: string
}

/** What an option may be. Undefined is every option's default, and comes only to a check that is `isRequired`. */
export interface Check {
  /** Completes "must be …". */
  readonly allowed: string
  readonly isRequired?: boolean
  misfit(value: unknown): Misfit | undefined
}

/** A check for each option; the compiler sees to it that none is forgotten. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check }

/**
 * Looks at what a caller passes before anything is done with it. The compiler is no guard: Node strips
 * types, and a script in JavaScript has none.
 *
 * @param where what the options are of, such as `new Producer`.
 * @throws UsageError naming the option that has another value than it may, or that there is none of.
 */
export function checkOptions<Options>(
  where: string,
  options: Options,
  checks: NoInfer<Checks<Options>>,
  code = 'USAGE',
): void {
  refuse(where, optionsMisfit(options, checks), code)
}

/** The same for one value that has a place of its own, such as `its function`. */
export function checkArgument(
  where: string,
  name: string,
  value: unknown,
  check: Check,
  code = 'USAGE',
): void {
  refuse(where, memberMisfit(name, value, check), code)
}

/** @returns what is wrong with options; the path begins with the option's name. */
export function optionsMisfit(
  options: unknown,
  checks: Readonly<Record<string, Check>>,
): Misfit | undefined {
  if (options === undefined) return membersMisfit({}, checks)
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return { path: '', problem: `takes its options as an object, not ${shown(options)}` }
  }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(checks, name)) return { path: '', problem: unknownOption(name, checks) }
  }
  return membersMisfit(options as Readonly<Record<string, unknown>>, checks)
}

/** @returns what is wrong with the properties that there are checks for. */
export function membersMisfit(
  options: Readonly<Record<string, unknown>>,
  checks: Readonly<Record<string, Check>>,
): Misfit | undefined {
  for (const [name, check] of Object.entries(checks)) {
    const misfit = memberMisfit(name, options[name], check)
    if (misfit !== undefined) return misfit
  }
  return undefined
}

/** A value as a person knows it again; objects only by their kind, for they may hold secrets. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

function memberMisfit(name: string, value: unknown, check: Check): Misfit | undefined {
  if (value === undefined) {
    if (check.isRequired !== true) return undefined
    return { path: name, problem: `is missing: it must be ${check.allowed}` }
  }
  const misfit = check.misfit(value)
  return misfit && { path: `${name}${misfit.path}`, problem: misfit.problem }
}

function unknownOption(name: string, checks: Readonly<Record<string, Check>>): string {
  const known = Object.keys(checks)
  const next = didYouMean(name, known) || ` It has ${known.join(', ')}.`
  return `has no option ${shown(name)}.${next}`
}

function refuse(where: string, misfit: Misfit | undefined, code: string): void {
  if (misfit === undefined) return
  const { path, problem } = misfit
  const text = `${where}${path === '' ? '' : `: ${path}`} ${problem}`
  throw new UsageError(code, /[.?]$/.test(text) ? text : `${text}.`, {
    facts: path === '' ? {} : { option: path },
  })
}
