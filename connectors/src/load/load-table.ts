import { checkOptions } from '@millrace/core/options'
import type { LoadResult } from './load.ts'
import { tableLoadChecks, type TableLoadOptions } from './table-options.ts'

/**
 * Copies a table, or a query's rows, from one PostgreSQL database into another: one snapshot of the
 * source, one transaction in the target, with the load's mark. So either all rows are there, once, or
 * none; a load that was interrupted starts over.
 *
 * @throws RejectedError the target refuses a row; nothing was written.
 * @throws UsageError tables that don't fit each other.
 */
export async function loadTable(options: TableLoadOptions): Promise<LoadResult> {
  checkOptions('loadTable', options, tableLoadChecks)
  // Loading the driver takes as long as starting Node; most commands never need it.
  const { copyTable } = await import('./table-load.ts')
  return copyTable(options)
}
