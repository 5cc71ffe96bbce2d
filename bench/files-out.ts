// Rows into files: what each format costs, against JSON.stringify and a plain write of the same rows.
// node bench/files-out.ts [rows]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { csv, ndjson, parquet, type Sink } from '@millrace/connectors'

type FilesSink = Pick<Sink<never>, 'name' | 'open'>

const ROWS = Number(process.argv[2] ?? 400_000)
const BATCH = 20_000

interface Flight {
  readonly date: number
  readonly delay: number
  readonly distance: number
  readonly origin: string
  readonly destination: string
}

const rows = Array.from({ length: ROWS }, (_, i): Flight => ({
  date: 981_173_106_000 + i * 1000,
  delay: (i % 90) - 20,
  distance: (i * 37) % 3000,
  origin: ['ORD', 'ATL', 'JFK', 'LAX', 'SFO'][i % 5] ?? '',
  destination: ['DFW', 'DEN', 'PHX'][i % 3] ?? '',
}))
const keys = Array.from({ length: BATCH }, () => null)
const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-files-'))

async function rate(sink: FilesSink): Promise<number> {
  const open = await sink.open({
    pipeline: sink.name.replaceAll(' ', '-'),
    logId: 'bench',
    columns: [],
    notice: () => {},
    signal: new AbortController().signal,
  })
  const task = await open.claim('flights-0')
  const startMs = performance.now()
  for (let start = 0; start < ROWS; start += BATCH) {
    const values = rows.slice(start, start + BATCH) as unknown as Record<string, unknown>[]
    await task.write({ size: values.length, keys, values, position: { offset: start + BATCH } })
  }
  await task.flush?.()
  const elapsedMs = performance.now() - startMs
  await task.release()
  return (ROWS / elapsedMs) * 1000
}

function plainRate(): number {
  const startMs = performance.now()
  for (let start = 0; start < ROWS; start += BATCH) {
    const lines = rows.slice(start, start + BATCH).map((row) => JSON.stringify(row))
    writeFileSync(join(directory, 'plain'), `${lines.join('\n')}\n`, { flag: 'a' })
  }
  return (ROWS / (performance.now() - startMs)) * 1000
}

try {
  const baseline = plainRate()
  const out = (name: string) => join(directory, name)
  const sinks: Record<string, FilesSink> = {
    ndjson: ndjson.files(out('ndjson')),
    'ndjson, zstd': ndjson.files(out('ndjson-zstd'), { compression: 'zstd' }),
    csv: csv.files(out('csv')),
    'csv, gzip': csv.files(out('csv-gzip'), { compression: 'gzip' }),
    'csv, 5 partitions': csv.files(out('csv-by'), { partitionBy: 'origin' }),
    parquet: parquet.files(out('parquet')),
  }
  console.log(`JSON.stringify and write   ${Math.round(baseline / 1000)} k rows/s`)
  for (const [name, sink] of Object.entries(sinks)) {
    const rowsPerSecond = await rate(sink)
    const ratio = (rowsPerSecond / baseline).toFixed(2)
    console.log(`${name.padEnd(26)} ${Math.round(rowsPerSecond / 1000)} k rows/s  ${ratio} ×`)
  }
} finally {
  rmSync(directory, { recursive: true })
}
