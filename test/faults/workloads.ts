import type { Workload } from './workload.ts'

interface WorkloadFile {
  readonly workloads: readonly Workload[]
}

// Loaded one after the other, and the whole of Millrace last: thousands of processes need only the log.
const files: readonly (() => Promise<WorkloadFile>)[] = [
  () => import('./workloads/records.ts'),
  () => import('./workloads/topics.ts'),
  () => import('./workloads/transactions.ts'),
  () => import('./workloads/openings.ts'),
  () => import('./workloads/pipelines.ts'),
]

/** Everything that the system calls are failed in. */
export async function allWorkloads(): Promise<Workload[]> {
  const loaded = await Promise.all(files.map((load) => load()))
  return loaded.flatMap(({ workloads }) => workloads)
}

export async function workloadNamed(name: string): Promise<Workload> {
  for (const load of files) {
    const found = (await load()).workloads.find((workload) => workload.name === name)
    if (found !== undefined) return found
  }
  throw new Error(`There is no workload "${name}".`)
}
