import {
  checkOptions,
  type Checks,
  either,
  flag,
  group,
  listOf,
  required,
  text,
} from '@millrace/core/options'
import { anySource } from '../parts.ts'
import { mappingChecks } from './column-mapping.ts'
import type { LoadPlan, PlannedColumn, PlanOptions } from './plan.ts'

export type { LoadPlan, PlannedColumn, PlanOptions }

const CHECKS: Checks<PlanOptions> = {
  source: required(either(anySource, listOf(anySource, 1))),
  mapping: group(mappingChecks),
  url: required(text),
  table: required(text),
  key: listOf(text),
  create: flag,
}

/**
 * Says what a load would do: looks at the beginning of the files and at the table's definition, and
 * changes nothing.
 *
 * @throws UsageError the files can't be read, or have different columns.
 * @throws UnavailableError the database can't be reached.
 */
export async function planLoad(options: PlanOptions): Promise<LoadPlan> {
  checkOptions('planLoad', options, CHECKS)
  // Loading the driver takes as long as starting Node; most commands never need it.
  const { plan } = await import('./plan.ts')
  return plan(options)
}
