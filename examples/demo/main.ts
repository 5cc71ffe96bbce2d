// npm run demo [-- [--limit N] [--threads N] [--fresh]]
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, styleText } from 'node:util'
import { startPostgres, type PostgresServer } from '@millrace/connectors/testing'
import { Client } from 'pg'
import { worstHours } from './chart.ts'
import { claimHome, DifferentDemoError } from './home.ts'

const options = readOptions()
const home = process.env['DEMO_HOME'] ?? '.millrace-demo'
// The pipeline drains on Ctrl-C and tells by its exit code; PostgreSQL is stopped after that.
process.on('SIGINT', () => {})

const server = await database()
try {
  process.exitCode = await demo(process.env['DATABASE_URL'] ?? '')
} finally {
  await server?.stop()
}

interface Options {
  readonly limit?: string | undefined
  readonly threads: string
  readonly fresh: boolean
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        limit: { type: 'string' },
        threads: { type: 'string', default: '1' },
        fresh: { type: 'boolean', default: false },
      },
    })
    if (values.limit !== undefined) {
      if (!/^[1-9]\d*$/.test(values.limit)) {
        throw new Error(`--limit takes a number of flights, not "${values.limit}".`)
      }
      process.env['DEMO_LIMIT'] = values.limit
    }
    return values
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`)
    console.error('usage: npm run demo [-- [--limit N] [--threads N] [--fresh]]')
    process.exit(2)
  }
}

async function demo(url: string): Promise<number> {
  const client = new Client({ connectionString: url })
  try {
    await client.connect()
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    console.error(`error: Can't connect to the database of DATABASE_URL (${words}).`)
    return 4
  }
  try {
    if (options.fresh) await startAfresh(client)
    await claimHome(client, home, options.limit)
    const code = await runPipeline()
    return code === 0 ? await report(client) : code
  } catch (error) {
    if (!(error instanceof DifferentDemoError)) throw error
    console.error(`error: ${error.message}`)
    return 2
  } finally {
    await client.end()
  }
}

/** The database in DATABASE_URL, or a server of our own, whose URL is put there. */
async function database(): Promise<PostgresServer | undefined> {
  if (process.env['DATABASE_URL']) return undefined
  const started = await startPostgres({ directory: join(home, 'postgres') })
  process.env['DATABASE_URL'] = started.url
  console.error(`PostgreSQL ${started.wasRunning ? 'goes on' : 'listens'} on port ${started.port}.`)
  return started
}

async function startAfresh(client: Client): Promise<void> {
  rmSync(join(home, 'log'), { recursive: true, force: true })
  await client.query('DROP TABLE IF EXISTS flights, delays_by_hour')
  const { rows } = await client.query("SELECT to_regclass('millrace_fence') AS fence")
  if (rows[0]?.fence)
    await client.query("DELETE FROM millrace_fence WHERE pipeline = 'flights-demo'")
}

/**
 * Runs flights.ts by `millrace run`, in this process: whoever kills the demo kills all of it, and the
 * log is free for the next start.
 */
async function runPipeline(): Promise<number> {
  const commandLine = new URL('../../cli/src/main.ts', import.meta.url)
  const { main }: { main: (words: readonly string[]) => Promise<void> } = await import(
    commandLine.href
  )
  const script = fileURLToPath(new URL('flights.ts', import.meta.url))
  await main(['run', script, '--log', join(home, 'log'), '--threads', options.threads])
  return Number(process.exitCode ?? 0)
}

/** Checks both tables by SQL, prints the figures and the chart; 0 when all agree. */
async function report(client: Client): Promise<number> {
  const { checkTables } = await import('./check.ts')
  const checks = await checkTables(client)
  console.log('\nBoth tables, held against the file and each other by SQL:')
  for (const { what, expected, found } of checks) {
    const mark = expected === found ? styleText('green', '✓') : styleText('red', '✗')
    const figures = expected === found ? found : `${found}, should be ${expected}`
    console.log(`  ${mark} ${what.padEnd(46)} ${figures}`)
  }
  console.log(`\n${await worstHours(client)}`)
  return checks.every(({ expected, found }) => expected === found) ? 0 : 1
}
