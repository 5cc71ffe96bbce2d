import { MillraceError, RejectedError } from '../errors.ts'

const SHOWN_LENGTH = 40

/** A place in a value that does not fit, on its way up; each container adds the step to it. */
class Misfit extends Error {
  readonly reason: string
  path = ''

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** Says that `value` is not what is `expected`. */
export function misfit(expected: string, value: unknown): Misfit {
  return new Misfit(`is ${describe(value)}, not ${expected}`)
}

/** Adds the container's step (`.name` or `[index]`) to the path of what was caught below it. */
export function within(step: string | number, caught: unknown): unknown {
  if (caught instanceof Misfit) {
    caught.path = (typeof step === 'number' ? `[${step}]` : `.${step}`) + caught.path
  }
  return caught
}

/** Of two reasons why options of a union do not fit, the one that got further. */
export function deeper(left: unknown, right: unknown): unknown {
  const isLeftDeeper = left instanceof Misfit && right instanceof Misfit
  return isLeftDeeper && left.path.length > right.path.length ? left : right
}

/** Turns whatever stopped `action` into the error that callers handle. */
export function rejectRecord(action: string, caught: unknown): RejectedError {
  if (caught instanceof MillraceError) throw caught
  const path = caught instanceof Misfit ? `$${caught.path}` : '$'
  const reason = caught instanceof Misfit ? `${path} ${caught.reason}` : messageOf(caught)
  return new RejectedError(
    'RECORD_INVALID',
    `Cannot ${action} as JSON: ${reason}. Fix the value, or the schema.`,
    { cause: caught, facts: { path } },
  )
}

function messageOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught)
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.slice(0, SHOWN_LENGTH))}`
    case 'number':
    case 'bigint':
    case 'boolean':
      return `the ${typeof value} ${String(value).slice(0, SHOWN_LENGTH)}`
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? 'an array' : withArticle(value.constructor?.name || 'object')
    default:
      return value === undefined ? 'undefined' : `a ${typeof value}`
  }
}

function withArticle(name: string): string {
  return `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${name}`
}
