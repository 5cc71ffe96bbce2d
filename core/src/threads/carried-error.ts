import {
  ClosedError,
  CorruptDataError,
  FailedError,
  FencedError,
  InvariantError,
  MillraceError,
  RejectedError,
  UnavailableError,
  UsageError,
} from '../errors.ts'

/** An error as plain data, so that it can cross to another thread and be thrown there as what it was. */
export type CarriedError = CarriedThrowable | { readonly thrown: unknown }

interface CarriedThrowable {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Of our own errors and of the system's. */
  readonly code: string | undefined
  readonly facts: Readonly<Record<string, unknown>>
  /** Whatever else was put on it, such as a database's SQLSTATE. */
  readonly properties: Readonly<Record<string, unknown>>
  readonly cause: CarriedError | undefined
}

const OURS = {
  UsageError,
  RejectedError,
  UnavailableError,
  FencedError,
  CorruptDataError,
  FailedError,
  ClosedError,
  MillraceError,
} as const

const BUILT_IN = { TypeError, RangeError, SyntaxError, ReferenceError, InvariantError } as const

/** Causes of causes; a chain that is longer, or runs in a circle, is cut. */
const CAUSES_MAX = 8

/** Class, code, message, facts, stack and cause cross; what no message can hold becomes text. */
export function carryError(error: unknown, causesMax = CAUSES_MAX): CarriedError {
  if (!(error instanceof Error)) return { thrown: plain(error) }
  const {
    code,
    facts,
    cause: _,
    name: __,
    message: ___,
    stack: ____,
    ...rest
  } = ownProperties(error)
  const hasCause = error.cause !== undefined && causesMax > 0
  return {
    name: classOf(error),
    message: error.message,
    stack: error.stack,
    code: typeof code === 'string' ? code : undefined,
    facts: plainProperties(facts),
    properties: plainProperties(rest),
    cause: hasCause ? carryError(error.cause, causesMax - 1) : undefined,
  }
}

/** The error as it was thrown in the other thread, its stack there included. */
export function carriedError(carried: CarriedError): unknown {
  if ('thrown' in carried) return carried.thrown
  const { name, message, stack, code, facts, properties } = carried
  const cause = carried.cause === undefined ? undefined : carriedError(carried.cause)
  const error = rebuild(name, message, code, facts, cause)
  Object.assign(error, properties)
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}

function rebuild(
  name: string,
  message: string,
  code: string | undefined,
  facts: Readonly<Record<string, unknown>>,
  cause: unknown,
): Error {
  if (isKeyOf(name, OURS)) {
    const options = cause === undefined ? { facts } : { facts, cause }
    return new OURS[name](code ?? '', message, options)
  }
  const error = isKeyOf(name, BUILT_IN) ? new BUILT_IN[name](message) : new Error(message)
  error.message = message
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true })
  if (cause !== undefined)
    Object.defineProperty(error, 'cause', { value: cause, configurable: true })
  return code === undefined ? error : Object.assign(error, { code })
}

function isKeyOf<T extends object>(name: string, table: T): name is string & keyof T {
  return Object.hasOwn(table, name)
}

/** By our own class where it is one of ours, also when somebody renamed or extended it. */
function classOf(error: Error): string {
  for (const [name, type] of Object.entries(OURS)) if (error instanceof type) return name
  return error.name
}

function ownProperties(error: Error): Record<string, unknown> {
  return Object.fromEntries(Object.entries(error))
}

function plainProperties(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') {
    return value
  }
  try {
    return structuredClone(value)
  } catch {
    return `(${typeof value} that cannot be carried to another thread)`
  }
}
