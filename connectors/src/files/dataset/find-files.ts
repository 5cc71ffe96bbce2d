import { glob, readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { unreadable } from '../input-error.ts'

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
    const names = await readdir(path, { recursive: true })
    const ofFormat = names.filter((name) => endings[format].test(name) && !isHidden(name))
    const paths = ofFormat.map((name) => join(path, name))
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

/** What is under way, or about the files, as those who write them have it. */
function isHidden(name: string): boolean {
  return name.split(sep).some((part) => part.startsWith('.') || part.startsWith('_'))
}

async function foundFiles(base: string, paths: readonly string[]): Promise<FoundFile[]> {
  const files: FoundFile[] = []
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined)
    const name = relative(base, path).replaceAll(sep, '/')
    if (found?.isFile() === true) files.push({ path, name, sizeBytes: found.size })
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function orFail(path: string, files: FoundFile[], problem: string): FoundFile[] {
  if (files.length > 0) return files
  throw unreadable(path, problem, 'Check the path, and how the names of the files end.')
}
