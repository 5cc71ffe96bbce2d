// One life of the soaked process: runs until it is killed, or, when told a count, to its end.
import { type Log, open } from '@millrace/core'
import { run } from '@millrace/processors'
import { backlogOf } from './backlog.ts'
import { SEGMENT_BYTES, soakPipeline } from './pipeline.ts'

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
// A machine too slow for the rate gets a slower one, rather than records that expire unread: less than half of what
// retention keeps.
const BEHIND_RECORDS = 40_000

if (import.meta.main) {
  const { directory, ...options } = JSON.parse(process.argv[2] ?? '{}') as LifeOptions
  const say = (statement: LifeStatement) => process.stdout.write(`${JSON.stringify(statement)}\n`)
  let made = -1
  const reporting = setInterval(() => say({ made }), REPORT_MS)
  const log = await open(directory)
  const onMade = (n: number) => (made = n)
  const isBehind = async () => (await backlogOf(log)) > BEHIND_RECORDS
  let areSegmentsSmall = false
  const { late, skipped } = await run(soakPipeline({ ...options, onMade, isBehind }), {
    log,
    final: options.count !== undefined,
    onProgress() {
      if (!areSegmentsSmall) void makeSegmentsSmall(log)
      areSegmentsSmall = true
    },
    onNotice: (notice) => console.error(notice),
  })
  await log.close()
  clearInterval(reporting)
  say({ made })
  say({ late, skipped })
}

/** Whole segments are given up: with small ones a run of minutes shows whether changelogs and the like are. */
async function makeSegmentsSmall(log: Log): Promise<void> {
  for (const { name, internal, config } of await log.listTopics()) {
    const isLarge = internal && config.segmentBytes > SEGMENT_BYTES
    if (isLarge) await log.alterTopic(name, { segmentBytes: SEGMENT_BYTES })
  }
}
