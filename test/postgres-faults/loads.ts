import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launcher } from '../cli/run-command.ts'
import type { FaultServer } from './fault-server.ts'

/** The ways into a table; each is the real command line in a process of its own. */
export const ways = ['load append', 'load upsert', 'run append', 'run upsert'] as const
export type Way = (typeof ways)[number]

/** Records of the input. */
export const records = 60_000
/** Keys of an upsert; of each the last record stays. */
const keys = 20_000

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly said: string
}

/** A command under way. */
export interface Run {
  readonly pid: number
  readonly ended: Promise<Ended>
  /** Resolves when standard error matches. */
  said(text: RegExp): Promise<void>
  /** What standard error has by now. */
  readonly words: () => string
  kill(signal: NodeJS.Signals): void
}

/** Directory, input file and scripts of one test file. */
export class Workshop {
  readonly directory: string
  #count = 0

  constructor(directory: string) {
    this.directory = directory
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'input.csv'), inputCsv())
    for (const key of [false, true]) {
      writeFileSync(join(directory, `${key ? 'upsert' : 'append'}.ts`), script(key))
    }
  }

  /** A table of its own for one run; without a unique key where it is appended to. */
  async table(server: FaultServer, way: Way, options = ''): Promise<string> {
    this.#count += 1
    const name = `t${this.#count}`
    const key = way.endsWith('upsert') ? ' PRIMARY KEY' : ''
    await server.query(`CREATE TABLE ${name} (id int${key}, n int, name text) ${options}`)
    return name
  }

  /** Starts a command that fills a table. */
  start(
    way: Way,
    table: string,
    url: string,
    env: Readonly<Record<string, string>> = {},
    more: readonly string[] = [],
  ): Run {
    const isLoad = way.startsWith('load')
    const upsert = way.endsWith('upsert')
    const words = isLoad
      ? ['load', 'input.csv', '--table', table, ...(upsert ? ['--key', 'id'] : [])]
      : ['run', `${upsert ? 'upsert' : 'append'}.ts`, '--log', `log-${table}`, '--connections', '1']
    return start(this.directory, [...words, '--quiet', ...more], {
      DATABASE_URL: url,
      TABLE: table,
      ...env,
    })
  }

  /** Removes what a run left besides its table. */
  tidy(table: string): void {
    rmSync(join(this.directory, `log-${table}`), { recursive: true, force: true })
  }
}

/** Starts the real `millrace`. */
export function start(cwd: string, words: readonly string[], env: Record<string, string>): Run {
  const { MILLRACE_LOG: _, FORCE_COLOR: __, ...inherited } = process.env
  const child = spawn(process.execPath, [launcher, ...words], {
    cwd,
    env: { ...inherited, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const look of waiting) look()
  }
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
    wake()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, said })
      wake()
    })
  })
  return {
    pid: child.pid ?? -1,
    ended,
    words: () => said,
    kill: (signal) => void child.kill(signal),
    said: (text) =>
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          const isThere = text.test(said)
          if (!isThere && child.exitCode === null && child.signalCode === null) return
          waiting.delete(look)
          if (isThere) resolve()
          else reject(new Error(`it ended without saying ${text}: ${said}`))
        }
        waiting.add(look)
        look()
      }),
  }
}

/** What the table has, and what it must have: rows, sum and a checksum over all columns. */
export async function exactness(
  server: FaultServer,
  way: Way,
  table: string,
): Promise<{ found: unknown[]; expected: unknown[] }> {
  const sums = `count(*)::int, sum(n)::bigint::text, sum(hashtextextended(id || ' ' || n || ' ' || name, 0))::text`
  const last = way.endsWith('upsert') ? `WHERE i >= ${records - keys}` : ''
  const [found = []] = await server.query(`SELECT ${sums} FROM ${table}`)
  const [expected = []] = await server.query(
    `SELECT ${sums} FROM (SELECT i % ${keys} AS id, i AS n, 'name ' || i AS name
     FROM generate_series(0, ${records - 1}) i ${last}) AS input`,
  )
  return { found, expected }
}

function inputCsv(): string {
  const lines = Array.from({ length: records }, (_, i) => `${i % keys},${i},name ${i}\n`)
  return `id,n,name\n${lines.join('')}`
}

const face = fileURLToPath(new URL('../../cli/src/index.ts', import.meta.url))

function script(upsert: boolean): string {
  const options = upsert ? `{ key: 'id', retryForMs: patienceMs }` : '{ retryForMs: patienceMs }'
  return `import { csv, json, pipeline, postgres, topic } from '${face}'
interface Row { id: number; n: number; name: string }
const table = process.env.TABLE ?? ''
const patienceMs = Number(process.env.PATIENCE_MS ?? 600_000)
const rows = topic('rows', { value: json<Row>(), key: 'id', partitions: 1 })
export default pipeline('fill-' + table, ({ from }) => {
  from(csv<Row>('input.csv')).to(rows)
  from(rows).to(postgres.table(table, ${options}))
})
`
}
