import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { UsageError } from '@millrace/core'
import { didYouMean } from '@millrace/core/options'

/** @throws UsageError naming the nearest file that is there, when `file` isn't. */
export function expectFile(file: string): void {
  if (existsSync(file)) return
  const path = resolve(file)
  const folder = dirname(path)
  const names = existsSync(folder) ? readdirSync(folder) : []
  throw new UsageError('USAGE', `There is no file ${file}.${didYouMean(basename(path), names)}`)
}
