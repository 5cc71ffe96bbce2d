import {
  callback,
  type Check,
  checkArgument,
  checkOptions,
  type Checks,
  required,
  text,
} from '@millrace/core/options'

const INVALID = 'PIPELINE_INVALID'

/** What every operator can be told. */
export const NAMED: Checks<{ readonly name?: string }> = { name: text }

/** As core's `checkOptions`, for what a pipeline is described with. */
export function checkDescription<Options>(
  where: string,
  options: Options,
  checks: NoInfer<Checks<Options>>,
): void {
  checkOptions(where, options, checks, INVALID)
}

/** As core's `checkArgument`, for what a pipeline is described with and can't do without. */
export function checkPart(where: string, name: string, value: unknown, check: Check): void {
  checkArgument(where, name, value, required(check), INVALID)
}

/** Whether it is one of our descriptions, which all say what they are. */
export function isOfKind(value: unknown, kinds: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  return typeof value.kind === 'string' && kinds.includes(value.kind)
}

/** What an operator calls for each record. */
export function checkCallback(where: string, value: unknown): void {
  checkPart(where, 'its first argument', value, callback)
}
