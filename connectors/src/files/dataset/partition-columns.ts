import { sep } from 'node:path'
import { NULL_VALUE } from '../out/path-rule.ts'

/** The columns that a path says, as `name=value` in the names of its directories; their values are text. */
export function partitionColumns(path: string): Record<string, string | null> {
  const columns: [name: string, value: string | null][] = []
  for (const directory of path.split(sep).slice(0, -1)) {
    const at = directory.indexOf('=')
    if (at <= 0) continue
    const value = directory.slice(at + 1)
    const name = unescaped(directory.slice(0, at))
    columns.push([name, value === NULL_VALUE ? null : unescaped(value)])
  }
  return Object.fromEntries(columns)
}

/** Where nobody has escaped percent signs they are only that. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
