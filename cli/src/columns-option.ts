import { InvalidArgumentError } from 'commander'

/** `name=value`. */
export type Pair = readonly [name: string, value: string]

/** Reads `name=value` from the command line, once more each time. */
export function pairs(text: string, before: readonly Pair[] = []): readonly Pair[] {
  const at = text.lastIndexOf('=')
  if (at > 0 && at < text.length - 1) return [...before, [text.slice(0, at), text.slice(at + 1)]]
  throw new InvalidArgumentError('It must have the form NAME=VALUE.')
}

/** Reads a word that can't be left empty. */
export function nonEmpty(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It is empty.')
}

/** Reads names separated by commas. */
export function columnList(text: string): string[] {
  const names = text.split(',').map((column) => column.trim())
  if (names.includes('')) throw new InvalidArgumentError('It must be names, separated by commas.')
  return names
}
