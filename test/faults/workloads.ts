import type { Workload } from './workload.ts'
import { openingWorkloads } from './workloads/openings.ts'
import { pipelineWorkloads } from './workloads/pipelines.ts'
import { recordWorkloads } from './workloads/records.ts'
import { topicWorkloads } from './workloads/topics.ts'
import { transactionWorkloads } from './workloads/transactions.ts'

/** Everything that the system calls are failed in. */
export const workloads: readonly Workload[] = [
  ...recordWorkloads,
  ...topicWorkloads,
  ...transactionWorkloads,
  ...openingWorkloads,
  ...pipelineWorkloads,
]

export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name)
  if (found === undefined) throw new Error(`There is no workload "${name}".`)
  return found
}
