import { createWriteStream } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { type Dataset, writeCsv } from './datasets.ts'

/** The same rows in every format that can be loaded. */
export interface LoadFiles {
  readonly csv: string
  readonly gzip: string
  readonly zstd: string
  readonly ndjson: string
  readonly parquet: string
  /** Of the text, before compression. */
  readonly csvBytes: number
  readonly ndjsonBytes: number
}

/** Writes a data set of flat columns in every format; times as ISO text. */
export async function writeLoadFiles(dataset: Dataset, directory: string): Promise<LoadFiles> {
  const csv = join(directory, 'rows.csv')
  const ndjson = join(directory, 'rows.ndjson')
  const parquet = join(directory, 'rows.parquet')
  await writeCsv(dataset, csv)
  const text = await readFile(csv)
  await writeFile(`${csv}.gz`, gzipSync(text))
  await writeFile(`${csv}.zst`, zstdCompressSync(text))
  await writeNdjson(dataset, ndjson)
  await writeParquet(dataset, parquet)
  return {
    csv,
    gzip: `${csv}.gz`,
    zstd: `${csv}.zst`,
    ndjson,
    parquet,
    csvBytes: text.length,
    ndjsonBytes: (await stat(ndjson)).size,
  }
}

async function writeNdjson(dataset: Dataset, file: string): Promise<void> {
  const out = createWriteStream(file)
  for await (const rows of dataset.rows()) {
    const lines = rows.map((row) => `${JSON.stringify(withIsoTime(row))}\n`).join('')
    if (!out.write(lines)) await new Promise<void>((resolve) => void out.once('drain', resolve))
  }
  out.end()
  await finished(out)
}

async function writeParquet(dataset: Dataset, file: string): Promise<void> {
  const all: Record<string, unknown>[] = []
  for await (const rows of dataset.rows()) all.push(...rows)
  const columnData = Object.entries(all[0] ?? {}).map(([name, first]) => {
    const data = all.map((row) => (name === 'date' ? new Date(Number(row[name])) : row[name]))
    if (name === 'date') return { name, type: 'TIMESTAMP' as const, data }
    return {
      name,
      type: typeof first === 'number' ? ('INT32' as const) : ('STRING' as const),
      data,
    }
  })
  await writeFile(file, new Uint8Array(parquetWriteBuffer({ columnData })))
}

function withIsoTime(row: Record<string, unknown>): Record<string, unknown> {
  return { ...row, date: new Date(Number(row['date'])).toISOString() }
}
