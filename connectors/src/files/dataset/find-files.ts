import type { Dirent } from 'node:fs'
import { glob, readdir, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { openFailed, unreadable } from '../input-error.ts'

/** A file of several. */
export interface FoundFile {
  /** As it is opened. */
  readonly path: string
  /** Below where the search began, with `/`; what orders the files. */
  readonly name: string
  readonly sizeBytes: number
}

/** How the names of a format's files end, where a directory is searched for them. */
export const endings = {
  csv: /\.(?:csv|tsv)(?:\.gz|\.zst)?$/i,
  ndjson: /\.(?:ndjson|jsonl)(?:\.gz|\.zst)?$/i,
  parquet: /\.parquet$/i,
} as const

/**
 * The files that a path stands for, in order of their names: those of a format in a directory and all
 * below it, or those that fit a pattern. Undefined where it is one file, or nothing.
 *
 * @throws UsageError INPUT_UNREADABLE there are none.
 */
export async function findFiles(
  path: string,
  format: keyof typeof endings,
): Promise<FoundFile[] | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() === true) {
    const paths = (await pathsBelow(path)).filter((each) => endings[format].test(each))
    return orFail(path, await foundFiles(path, paths), `no ${format} file in this directory`)
  }
  const wildcardAt = path.search(/[*?[{]/)
  // A file may have such a name; then it is meant.
  if (found !== undefined || wildcardAt < 0) return undefined
  const base = path.slice(0, path.lastIndexOf('/', wildcardAt) + 1)
  const paths: string[] = []
  for await (const each of glob(path)) if (!isHidden(relative(base, each))) paths.push(each)
  return orFail(path, await foundFiles(base, paths), 'no file fits it')
}

/**
 * What is in a directory and below it, and not hidden: of each directory once, whatever links lead there, and
 * by its own name, which may say values of columns, where that is below as well.
 */
async function pathsBelow(root: string): Promise<string[]> {
  const paths: string[] = []
  const passed = new Set<string>()
  const links = [root]
  for (const link of links) {
    const directories = [link]
    for (const directory of directories) {
      const real = await realpath(directory)
      if (passed.has(real)) continue
      passed.add(real)
      for (const entry of await entriesOf(directory)) {
        const path = join(directory, entry.name)
        if (entry.isDirectory()) directories.push(path)
        else if (entry.isSymbolicLink() && (await isDirectory(path))) links.push(path)
        else paths.push(path)
      }
    }
  }
  return paths
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  const found = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    throw openFailed(directory, error)
  })
  const shown = found.filter(({ name }) => !isHidden(name))
  return shown.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

/** What is under way, or about the files, as those who write them have it; a column may have such a name. */
function isHidden(name: string): boolean {
  return name.split(sep).some((part) => /^(?:\.|_(?!.*=))/.test(part))
}

async function foundFiles(base: string, paths: readonly string[]): Promise<FoundFile[]> {
  const files: FoundFile[] = []
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      // A link that leads nowhere is a file that is missing.
      throw openFailed(path, error)
    })
    const name = relative(base, path).replaceAll(sep, '/')
    if (found.isFile()) files.push({ path, name, sizeBytes: found.size })
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function orFail(path: string, files: FoundFile[], problem: string): FoundFile[] {
  if (files.length > 0) return files
  throw unreadable(path, problem, 'Check the path, and how the names of the files end.')
}
