// One life of the soaked process: runs until it is killed, or, when told a count, to its end.
import { open } from '@millrace/core'
import { run } from '@millrace/processors'
import { soakPipeline } from './pipeline.ts'

/** What a life is told. */
export interface LifeOptions {
  readonly directory: string
  readonly url: string
  readonly rate: number
  readonly count?: number
}

/** What a life says, as lines of JSON. */
export type LifeStatement =
  | { readonly made: number }
  | { readonly late: number; readonly skipped: number }

const REPORT_MS = 500
// A machine too slow for the rate gets a slower one, rather than records that expire unread.
const BEHIND_SECONDS = 10

if (import.meta.main) {
  const { directory, ...options } = JSON.parse(process.argv[2] ?? '{}') as LifeOptions
  const say = (statement: LifeStatement) => process.stdout.write(`${JSON.stringify(statement)}\n`)
  let made = -1
  const reporting = setInterval(() => say({ made }), REPORT_MS)
  const log = await open(directory)
  const onMade = (n: number) => (made = n)
  let waiting = 0
  const isBehind = () => waiting > options.rate * BEHIND_SECONDS
  const { late, skipped } = await run(soakPipeline({ ...options, onMade, isBehind }), {
    log,
    final: options.count !== undefined,
    onProgress({ stages }) {
      const readers = stages.filter(({ kind }) => kind !== 'ingest')
      waiting = Math.max(...readers.map(({ rowsLeft }) => rowsLeft ?? 0))
    },
    onNotice: (notice) => console.error(notice),
  })
  await log.close()
  clearInterval(reporting)
  say({ made })
  say({ late, skipped })
}
