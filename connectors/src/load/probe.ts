import { UsageError } from '@millrace/core'
import type { Column, Source } from '@millrace/processors'
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
  for (const source of sources) {
    const input = await openInput(source, cutting, signal)
    if (input === undefined) return probeOther(source, signal)
    await input.close()
    bytes += input.identity.sizeBytes
    isSample ||= input.isSample
    const { path, columns } = input
    if (first === undefined) first = { path, columns }
    else if (!input.isSample && columns.length > 0) requireSameColumns(first, { path, columns })
  }
  return { isCut: true, columns: first?.columns ?? [], isSample, bytes }
}

async function probeOther(source: Source<unknown>, signal: AbortSignal): Promise<Probed> {
  const reader = await source.open({ position: undefined, signal })
  await reader.close()
  const { columns = [], isSample = false, total } = reader
  return { isCut: false, columns, isSample, bytes: total.bytes ?? 0 }
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
