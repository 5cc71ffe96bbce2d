import pg from 'pg'
import { csv } from '../../files/csv/csv.ts'
import { ndjson } from '../../files/ndjson/ndjson.ts'
import { postgres } from '../../postgres/postgres.ts'
import { load } from '../load.ts'

/** What {@link load} is told by a test that kills it. */
export interface FixtureOptions {
  readonly paths: readonly string[]
  readonly format: 'csv' | 'ndjson'
  readonly url: string
  readonly table: string
  readonly connections: number
  readonly rejects?: string
  /** Upserts by it. */
  readonly key?: string
  readonly whole?: boolean
  /** The process dies as it sends its statement of this number, from 1: before, or just after. */
  readonly killAtStatement?: number
  /** It dies so long after its first rows are stored. */
  readonly killAfterMs?: number
}

const options = JSON.parse(process.argv[2] ?? '{}') as FixtureOptions
const { paths, format, url, table, connections, rejects, killAtStatement = Infinity } = options
const { key, whole = false, killAfterMs } = options
const die = (): void => void process.kill(process.pid, 'SIGKILL')
let timer: NodeJS.Timeout | undefined

let statements = 0
// oxlint-disable-next-line typescript/unbound-method -- called with the client it was called on
const send = pg.Client.prototype.query as (this: pg.Client, ...all: unknown[]) => unknown
pg.Client.prototype.query = function (this: pg.Client, ...all: unknown[]): unknown {
  statements += 1
  const isLast = statements === killAtStatement
  if (isLast && statements % 2 === 0) die()
  const result = send.apply(this, all)
  if (isLast) setImmediate(die)
  return result
} as typeof pg.Client.prototype.query

await load({
  source: paths.map((path) => (format === 'csv' ? csv(path) : ndjson(path))),
  sink: postgres(url).table<string>(table, { connections, ...(key !== undefined && { key }) }),
  connections,
  transactionBytes: 60_000,
  whole,
  ...(rejects !== undefined && { rejects: { path: rejects } }),
  onProgress() {
    if (killAfterMs === 0) die()
    if (killAfterMs !== undefined) timer ??= setTimeout(die, killAfterMs)
  },
})
clearTimeout(timer)
