import { inspect } from 'node:util'
import type { MillraceError } from '@millrace/core'
import type { CommanderError } from 'commander'
import { exitCode } from './exit-code.ts'
import { paint, say } from './talk.ts'

/** Codes that mean "not now" although their class says otherwise. */
const unavailable = new Set(['DATA_DIRECTORY_IN_USE', 'ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT'])

/**
 * Tells a person what went wrong and returns the exit code for it. What Millrace foresaw is said in
 * its own words, with the code; anything else shows its stack, because it may be a bug.
 */
export async function reportError(error: unknown): Promise<number> {
  // Commander has already said it, with its own suggestion.
  if (isCommanderError(error)) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
  const { MillraceError, UnavailableError, UsageError } = await import('@millrace/core')
  const isForeseen = error instanceof MillraceError || isSystemError(error)
  say(paint('red', 'error: ') + (isForeseen ? describe(error) : describeUnforeseen(error)))
  if (!isForeseen) return exitCode.failed
  if (error.code === 'DISK_FULL') return exitCode.failed
  if (unavailable.has(error.code) || error instanceof UnavailableError) return exitCode.unavailable
  return error instanceof UsageError ? exitCode.usage : exitCode.failed
}

function describe(error: MillraceError | SystemError): string {
  const text = `${error.message} ${paint('dim', `[${error.code}]`)}${callbackLine(error)}`
  return process.env['MILLRACE_DEBUG'] ? `${text}\n${inspect(error)}` : text
}

/** With the stack, but for Node's own lines, which tell nobody where a script went wrong. */
function describeUnforeseen(error: unknown): string {
  const text = inspect(error)
  return process.env['MILLRACE_DEBUG'] ? text : text.replaceAll(/\n +at .*node:internal.*/g, '')
}

/** The line of the user's own code that threw, which is what they need to find. */
function callbackLine({ code, cause }: MillraceError | SystemError): string {
  if (code !== 'CALLBACK_FAILED' || !(cause instanceof Error)) return ''
  const line = /\n +at .+/.exec(cause.stack ?? '')
  return line === null ? '' : paint('dim', line[0])
}

interface SystemError extends Error {
  readonly code: string
  readonly syscall: string
}

/** The machine refused something (a full disk, a missing right): nobody's bug. */
function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

function isCommanderError(error: unknown): error is CommanderError {
  return error instanceof Error && error.name === 'CommanderError'
}
