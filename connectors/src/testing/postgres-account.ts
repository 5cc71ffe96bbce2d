import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { UsageError } from '@millrace/core'
import { copyBinaries } from './postgres-binaries.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

/** The user and group called "nobody" on every Linux: PostgreSQL refuses to run as root. */
const nobodyId = 65534

/**
 * As whom, and with which files, PostgreSQL's programs run.
 *
 * `self`: this process's own user. As root one of three, the first that works: `nobody`: another
 * user, where it can reach binaries and data. `namespace`: a user namespace in which root is called
 * 1000, for a clone that others can't read. `nobody-elsewhere`: another user, with binaries and data
 * in the temporary directory, where namespaces are forbidden too.
 */
export type AccountKind = 'self' | 'nobody' | 'namespace' | 'nobody-elsewhere'

/** A way to run PostgreSQL's programs on this machine. */
export interface PostgresAccount {
  readonly kind: AccountKind
  readonly binaries: PostgresBinaries
  /** Where `data` and `server.log` lie. */
  readonly home: string
  /** Who must own the data; undefined: whoever we are. */
  readonly ownerId: number | undefined
}

/** What a finished program left behind. */
export interface ProgramOutcome {
  readonly exitCode: number | null
  readonly output: string
}

/**
 * Picks the first account that can run the binaries and reach `directory`.
 *
 * @throws UsageError when none can, with what each of them said.
 */
export async function findAccount(
  binaries: PostgresBinaries,
  directory: string,
  kinds: readonly AccountKind[] = accountKinds(),
): Promise<PostgresAccount> {
  const refusals: string[] = []
  for (const kind of kinds) {
    const account = await prepare(kind, binaries, directory)
    const probe = ['-c', 'cd "$1" && exec "$2" --version', 'sh', account.home]
    const { exitCode, output } = await runAs(account, '/bin/sh', [
      ...probe,
      programOf(account, 'postgres'),
    ])
    if (exitCode === 0) return account
    refusals.push(`${kind}: ${output.trim() || 'did not start'}`)
  }
  throw new UsageError(
    'USAGE',
    `The bundled PostgreSQL can't run here (${refusals.join('; ')}). ` +
      'Set DATABASE_URL to a PostgreSQL of yours instead.',
    { facts: { directory } },
  )
}

/** Runs one of PostgreSQL's programs and resolves when it ends, whatever its exit code. */
export function runProgram(
  account: PostgresAccount,
  program: 'initdb' | 'pg_ctl',
  args: readonly string[],
): Promise<ProgramOutcome> {
  return runAs(account, programOf(account, program), args)
}

/** Gives a file or a whole directory to the account's user. */
export async function giveTo(account: PostgresAccount, target: string): Promise<void> {
  const ownerId = account.ownerId
  if (ownerId === undefined || (await fs.stat(target)).uid === ownerId) return
  // The directory itself last: its owner then says that all below it is done.
  if ((await fs.stat(target)).isDirectory()) {
    for (const entry of await fs.readdir(target, { recursive: true })) {
      await fs.lchown(path.join(target, entry), ownerId, ownerId)
    }
  }
  await fs.chown(target, ownerId, ownerId)
}

function accountKinds(): readonly AccountKind[] {
  return process.getuid?.() === 0 ? ['nobody', 'namespace', 'nobody-elsewhere'] : ['self']
}

async function prepare(
  kind: AccountKind,
  binaries: PostgresBinaries,
  directory: string,
): Promise<PostgresAccount> {
  switch (kind) {
    case 'self':
      return { kind, binaries, home: directory, ownerId: undefined }
    case 'nobody':
      return { kind, binaries, home: directory, ownerId: nobodyId }
    case 'namespace':
      return { kind, binaries, home: directory, ownerId: 0 }
    case 'nobody-elsewhere': {
      const home = await homeElsewhere(directory)
      return { kind, binaries: await copyBinaries(binaries), home, ownerId: nobodyId }
    }
  }
}

/** A home in the temporary directory; a file in `directory` remembers which, for the next run. */
async function homeElsewhere(directory: string): Promise<string> {
  const pointer = path.join(directory, 'location')
  try {
    const home = await fs.readFile(pointer, 'utf8')
    await fs.access(home)
    return home
  } catch {
    const home = await fs.mkdtemp(path.join(tmpdir(), 'millrace-postgres-data-'))
    await fs.chmod(home, 0o755)
    await fs.writeFile(pointer, home)
    return home
  }
}

function programOf(account: PostgresAccount, program: string): string {
  return path.join(account.binaries.root, 'bin', program)
}

function runAs(
  account: PostgresAccount,
  program: string,
  args: readonly string[],
): Promise<ProgramOutcome> {
  const { kind, ownerId } = account
  const inNamespace = kind === 'namespace'
  const asNobody = kind === 'nobody' || kind === 'nobody-elsewhere'
  const [command, commandArgs] = inNamespace
    ? ['unshare', ['--user', '--map-user=1000', '--map-group=1000', '--', program, ...args]]
    : [program, args]
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      ...(asNobody && ownerId !== undefined ? { uid: ownerId, gid: ownerId } : {}),
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += String(chunk)))
    child.stderr.on('data', (chunk) => (output += String(chunk)))
    child.on('error', (error) => resolve({ exitCode: null, output: error.message }))
    child.on('close', (exitCode) => resolve({ exitCode, output }))
  })
}
