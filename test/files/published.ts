import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { csv, ndjson, parquet, type Source } from '@millrace/connectors'

type Row = Record<string, unknown>

/** The files that a reader sees below a directory, as absolute paths. */
export function publishedFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.millrace'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted()
}

/** What was left under way below a directory. */
export function leftovers(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => /\.(part|tmp)$/.test(name))
}

/** The rows of all files of a sink; every file must be whole. */
export async function publishedRows(directory: string): Promise<Row[]> {
  const rows: Row[] = []
  for (const path of publishedFiles(directory)) {
    const reader = await sourceOf(path).open({
      position: undefined,
      signal: new AbortController().signal,
    })
    for await (const batch of reader.batches()) rows.push(...batch.rows)
    await reader.close()
  }
  return rows
}

function sourceOf(path: string): Source<Row> {
  if (/\.csv(\.|$)/.test(path)) return csv<Row>(path, { columns: { id: 'int64' } })
  return path.endsWith('.parquet') ? parquet<Row>(path) : ndjson<Row>(path)
}

/** The ids of all rows, sorted. */
export async function publishedIds(directory: string): Promise<number[]> {
  const ids = (await publishedRows(directory)).map((row) => Number(row['id']))
  return ids.toSorted((a, b) => a - b)
}
