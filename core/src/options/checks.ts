import { type Check, type Checks, membersMisfit, optionsMisfit, shown } from './check-options.ts'
import { didYouMean } from './did-you-mean.ts'

/** `setTimeout` takes a longer delay for none at all. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** What has no default. */
export function required(check: Check): Check {
  return { ...check, isRequired: true }
}

/** Whatever the caller likes. */
export const anything: Check = expecting('anything', () => true)

/** `true` or `false`. */
export const flag: Check = expecting('true or false', (value) => typeof value === 'boolean')

/** A name, a path: text that isn't empty. */
export const text: Check = expecting(
  'text that is not empty',
  (value) => typeof value === 'string' && value !== '',
)

/** Text that may be empty. */
export const anyText: Check = expecting('text', (value) => typeof value === 'string')

/** A function of the caller's. */
export const callback: Check = expecting('a function', (value) => typeof value === 'function')

/** A whole number from `min`, up to `max` where there is one. */
export function count(min = 1, max: number = Number.MAX_SAFE_INTEGER): Check {
  const those = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  return expecting(`a whole number ${those}`, (value) => isWhole(value, min, max))
}

/** A whole number of bytes. */
export function bytes(min = 1, max: number = Number.MAX_SAFE_INTEGER): Check {
  return expecting(`a whole number of bytes, ${range(min, max)}`, (value) =>
    isWhole(value, min, max),
  )
}

/** Milliseconds that a timer can wait, unless they are no timer's: up to 24 days. */
export function milliseconds(min = 0, max: number = TIMER_MS_MAX): Check {
  return expecting(`a number of milliseconds, ${range(min, max)}`, (value) => {
    return typeof value === 'number' && value >= min && value <= max
  })
}

/** Milliseconds after which something is given up; `Infinity`: never. */
export function patienceMs(min = 0): Check {
  return expecting(
    `a number of milliseconds, ${range(min, Number.MAX_SAFE_INTEGER)}, or Infinity`,
    (value) => typeof value === 'number' && value >= min,
  )
}

/** A number above zero, `Infinity` too. */
export const positive: Check = expecting(
  'a number above 0',
  (value) => typeof value === 'number' && value > 0,
)

/** One of a few names. */
export function oneOf(...names: readonly string[]): Check {
  return expecting(
    `one of ${names.join(', ')}`,
    (value) => typeof value === 'string' && names.includes(value),
    (value) => (typeof value === 'string' ? didYouMean(value, names) : ''),
  )
}

/** An object known by what it can do, such as `withMethods('a serde, such as json()', 'encode', 'decode')`. */
export function withMethods(what: string, ...methods: readonly string[]): Check {
  return expecting(what, (value) =>
    methods.every(
      (name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function',
    ),
  )
}

/** Some of the same, at least `min` of them. */
export function listOf(item: Check, min = 0): Check {
  const allowed = `a list of at least ${min}, each ${item.allowed}`
  return {
    allowed,
    misfit(value) {
      if (!Array.isArray(value) || value.length < min) return wrong(allowed, value)
      for (const [index, each] of value.entries()) {
        const misfit = item.misfit(each)
        if (misfit !== undefined) return { ...misfit, path: `[${index}]${misfit.path}` }
      }
      return undefined
    },
  }
}

/** An object whose properties have names of the caller's, and values of one kind. */
export function recordOf(item: Check): Check {
  const allowed = `an object, each property ${item.allowed}`
  return {
    allowed,
    misfit(value) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return wrong(allowed, value)
      }
      for (const [name, each] of Object.entries(value)) {
        const misfit = each === undefined ? undefined : item.misfit(each)
        if (misfit !== undefined) return { ...misfit, path: `.${name}${misfit.path}` }
      }
      return undefined
    },
  }
}

/** Options within options. */
export function group<Options>(checks: Checks<Options>): Check {
  const allowed = `an object of ${Object.keys(checks).join(', ')}`
  return {
    allowed,
    misfit(value) {
      if (typeof value !== 'object' || value === null) return wrong(allowed, value)
      const misfit = optionsMisfit(value, checks)
      return misfit && { ...misfit, path: misfit.path === '' ? '' : `.${misfit.path}` }
    },
  }
}

/** A thing that has at least these properties; unlike options it may have others, as a stored position has. */
export function having<Thing>(checks: Checks<Thing>): Check {
  const allowed = `an object of ${Object.keys(checks).join(', ')}`
  return {
    allowed,
    misfit(value) {
      if (typeof value !== 'object' || value === null) return wrong(allowed, value)
      const misfit = membersMisfit(value as Readonly<Record<string, unknown>>, checks)
      return misfit && { ...misfit, path: `.${misfit.path}` }
    },
  }
}

/** What one check refuses may suit another. */
export function either(...checks: readonly Check[]): Check {
  const allowed = checks.map((check) => check.allowed).join(', or ')
  return expecting(allowed, (value) => checks.some((check) => check.misfit(value) === undefined))
}

/** The same, or `Infinity` where there is no limit. */
export function orInfinity(check: Check): Check {
  return either(
    check,
    expecting('Infinity', (value) => value === Infinity),
  )
}

/** Made from what it must be, in words, and how to tell; `hint` may add what was probably meant. */
export function expecting(
  allowed: string,
  suits: (value: unknown) => boolean,
  hint: (value: unknown) => string = () => '',
): Check {
  return {
    allowed,
    misfit: (value) => (suits(value) ? undefined : wrong(allowed, value, hint(value))),
  }
}

function wrong(allowed: string, value: unknown, hint = ''): { path: string; problem: string } {
  return { path: '', problem: `must be ${allowed}, not ${shown(value)}${hint && `.${hint}`}` }
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}

function range(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`
}
