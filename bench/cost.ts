import { cpus } from 'node:os'
import type { CpuTime } from './cpu-time.ts'
import { logSteps } from './cost-log.ts'
import { postgresSteps } from './cost-postgres.ts'
import { narrow } from './datasets.ts'
import { inScratch } from './scratch.ts'

/** One step on the way of all records. */
export interface Step {
  readonly what: string
  readonly time: CpuTime
  /** A record's share of what the step makes or moves. */
  readonly bytes?: number
  /** What these bytes are. */
  readonly of?: string
  /** Holds steps that are listed before it. */
  readonly isSum?: boolean
}

const recordCount = 200_000

/** Where each nanosecond and each byte of a record goes, from an object to a row: a table in Markdown. */
export async function measureCost(): Promise<string> {
  const dataset = narrow(recordCount)
  const rows: Record<string, unknown>[] = []
  for await (const batch of dataset.rows()) rows.push(...batch)
  const steps = await inScratch(async (directory) => [
    ...(await logSteps(directory, dataset.serde, rows)),
    ...(await postgresSteps(directory, dataset, rows)),
  ])
  return [
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}; ` +
      `${recordCount} flights, nanoseconds of processor time and bytes a record, medians of 7 runs.`,
    '',
    '| step | ns, main thread | ns, other threads | bytes |',
    '|---|---|---|---|',
    ...steps.map(line),
  ].join('\n')
}

function line({ what, time, bytes, of, isSum }: Step): string {
  const [main, other] = [time.mainNs, time.otherNs].map((ns) => (ns / recordCount).toFixed(0))
  const moved = bytes === undefined ? '' : `${bytes.toFixed(1)} ${of ?? ''}`.trim()
  return `| ${isSum === true ? `(${what})` : what} | ${main} | ${other} | ${moved} |`
}
