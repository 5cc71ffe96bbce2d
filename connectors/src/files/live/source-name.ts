import { basename } from 'node:path'

/** What standard input is called where files have a path. */
export const STDIN = '-'

/** The name of a source of a path. */
export function sourceName(kind: string, path: string): string {
  return `${kind} ${path === STDIN ? 'stdin' : basename(path)}`
}
