import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '@millrace/core'
import { expectFile } from '../expect-file.ts'

/**
 * The files that words of the command line mean: names as they are, patterns with `*`, `?` or `[…]` in
 * the order of names. Each file is there once.
 *
 * @throws UsageError a file that isn't there, a directory, a pattern that nothing fits.
 */
export function filesOf(words: readonly string[]): string[] {
  return [...new Set(words.flatMap((word) => (isPattern(word) ? matchesOf(word) : [named(word)])))]
}

function named(file: string): string {
  expectFile(file)
  if (!statSync(file).isDirectory()) return file
  const pattern = join(file, '*.csv')
  throw new UsageError('USAGE', `${file} is a directory. Name its files: '${pattern}', say.`)
}

/** A file may have such a name; then it is meant. */
function isPattern(word: string): boolean {
  return /[*?[\]{}]/.test(word) && statSync(word, { throwIfNoEntry: false }) === undefined
}

function matchesOf(pattern: string): string[] {
  const files = globSync(pattern).filter((file) => statSync(file).isFile())
  if (files.length > 0) return files.toSorted()
  throw new UsageError('USAGE', `No file fits ${pattern}.`)
}
