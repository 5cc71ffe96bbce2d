import { UsageError } from '@millrace/core'
import type { Column, Source } from '@millrace/processors'
import type { Target } from '../postgres/target.ts'
import type { Cutting } from './input.ts'
import { openInput } from './input.ts'

/** What a look at the beginning of every source tells. */
export interface Probed {
  /** They are files that can be cut into chunks. */
  readonly isCut: boolean
  readonly columns: readonly Column[]
  readonly isSample: boolean
  /** Of all files, as stored. */
  readonly bytes: number
  /** Files without a byte. */
  readonly empty: readonly string[]
}

/**
 * Looks at every file before any is loaded.
 *
 * @throws UsageError one that can't be read, or has other columns than the first.
 */
export async function probe(
  sources: readonly Source<unknown>[],
  cutting: Cutting,
  signal: AbortSignal,
): Promise<Probed> {
  let first: { readonly path: string; readonly columns: readonly Column[] } | undefined
  let isSample = false
  let bytes = 0
  const empty: string[] = []
  for (const source of sources) {
    const input = await openInput(source, cutting, signal)
    if (input === undefined) return probeOther(source, signal)
    await input.close()
    bytes += input.identity.sizeBytes
    isSample ||= input.isSample
    const { path, columns } = input
    if (input.identity.sizeBytes === 0) empty.push(path)
    else if (first === undefined) first = { path, columns }
    else if (!input.isSample && columns.length > 0) requireSameColumns(first, { path, columns })
  }
  return { isCut: true, columns: first?.columns ?? [], isSample, bytes, empty }
}

async function probeOther(source: Source<unknown>, signal: AbortSignal): Promise<Probed> {
  const reader = await source.open({ position: undefined, signal })
  await reader.close()
  const { columns = [], isSample = false, total } = reader
  return { isCut: false, columns, isSample, bytes: total.bytes ?? 0, empty: [] }
}

/**
 * Somebody who has asked for a new table should hear that there is none.
 *
 * @throws UsageError there is no table, and no file names a column of one.
 */
export function expectTable({ columns }: Probed, { label, table }: Target, path: string): void {
  if (columns.length > 0 || table !== undefined) return
  throw new UsageError(
    'INPUT_UNREADABLE',
    `${path} names no columns, so the table "${label}" can't be made of it. Is it the right file? ` +
      'Else create the table yourself.',
    { facts: { file: path, table: label } },
  )
}

interface Named {
  readonly path: string
  readonly columns: readonly Column[]
}

/** Their order may differ: columns go by name. */
function requireSameColumns(first: Named, other: Named): void {
  const names = first.columns.map(({ name }) => name)
  const others = other.columns.map(({ name }) => name)
  const missing = names.find((name) => !others.includes(name))
  const extra = others.find((name) => !names.includes(name))
  if (missing === undefined && extra === undefined) return
  const difference =
    missing === undefined ? `has a column "${extra}"` : `lacks the column "${missing}"`
  const where = missing === undefined ? `${first.path} has not` : `${first.path} has`
  throw new UsageError(
    'INPUT_UNREADABLE',
    `${other.path} ${difference}, which ${where}. Load it apart; or rename its column, or leave ` +
      'it out (skip).',
    { facts: { file: other.path, column: missing ?? extra } },
  )
}
