import type { LoadPlan, PlannedColumn } from '@millrace/connectors'
import { alignedTable } from '../table.ts'
import { counted } from '../numbers.ts'

/** What a load would do, for a person. */
export function describePlan(plan: LoadPlan, table: string): string {
  const { files, bytes, rowsEstimate, isTableThere, createSql, problems } = plan
  const size = `${(bytes / 1e6).toFixed(1)} MB`
  const rows =
    rowsEstimate === undefined
      ? 'an unknown number of rows'
      : `about ${counted(rowsEstimate, 'row')}`
  const what = files.length === 1 ? files[0] : `${files.length} files`
  const action = isTableThere
    ? `would go into the table ${table}.`
    : `would go into a new table ${table}:\n\n${createSql};`
  return [
    alignedTable(plan.columns.map((column) => lineOf(column, isTableThere))),
    '',
    `${what} (${size}, ${rows}) ${problems.length === 0 ? action : 'would be refused:'}`,
    ...problems.map((problem) => `- ${problem}`),
    '',
    'Nothing was changed (--dry-run).',
  ].join('\n')
}

function lineOf(
  { column, hasNulls, example, why, tableType }: PlannedColumn,
  isTableThere: boolean,
): Record<string, string | undefined> {
  return {
    COLUMN: column.name,
    'SEEMS TO BE': `${column.type}${column.array === true ? '[]' : ''}`,
    NULLS: hasNulls ? 'yes' : undefined,
    EXAMPLE: example,
    ...(isTableThere && { 'IN THE TABLE': tableType }),
    WHY: why,
  }
}
