import type { LoadPlan, PlannedColumn, PlanOptions } from './plan.ts'

export type { LoadPlan, PlannedColumn, PlanOptions }

/**
 * Says what a load would do: looks at the beginning of the files and at the table's definition, and
 * changes nothing.
 *
 * @throws UsageError the files can't be read, or have different columns.
 * @throws UnavailableError the database can't be reached.
 */
export async function planLoad(options: PlanOptions): Promise<LoadPlan> {
  // Loading the driver takes as long as starting Node; most commands never need it.
  const { plan } = await import('./plan.ts')
  return plan(options)
}
