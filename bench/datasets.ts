import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { json, parquet, type Serde } from 'millrace'
import { z } from 'zod'

/** Rows of one shape, ready for both sides of a comparison. */
export interface Dataset {
  readonly name: string
  readonly createTable: (name: string) => string
  readonly serde: Serde<Record<string, unknown>>
  readonly rows: () => AsyncIterable<readonly Record<string, unknown>[]>
  readonly csvLine: (row: Record<string, unknown>) => string
}

const flightsFile = fileURLToPath(
  new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
)

/** 35 bytes a row: time, two integers, two short texts. */
export function narrow(limit: number): Dataset {
  const schema = z.object({
    date: z.date(),
    delay: z.int(),
    distance: z.int(),
    origin: z.string(),
    destination: z.string(),
  })
  return {
    name: 'narrow (flights, 35 bytes)',
    createTable: (name) =>
      `CREATE TABLE ${name} (date timestamptz, delay int, distance int, origin text, destination text)`,
    serde: json(schema) as unknown as Serde<Record<string, unknown>>,
    async *rows() {
      const reader = await parquet(flightsFile, { limit }).open({
        position: undefined,
        signal: new AbortController().signal,
      })
      for await (const batch of reader.batches()) yield batch.rows
      await reader.close()
    },
    csvLine: ({ date, delay, distance, origin, destination }) =>
      [isoTime(date), delay, distance, origin, destination].join(','),
  }
}

/** 146 bytes a row: bigint, text, double, timestamptz, jsonb, bool. */
export function wide(limit: number): Dataset {
  return {
    name: 'wide (jsonb, 146 bytes)',
    createTable: (name) =>
      `CREATE TABLE ${name} (id bigint, name text, amount float8, at timestamptz, doc jsonb, ok bool)`,
    serde: json() as unknown as Serde<Record<string, unknown>>,
    async *rows() {
      for (let from = 0; from < limit; from += 10_000) {
        yield Array.from({ length: Math.min(10_000, limit - from) }, (_, i) => wideRow(from + i))
      }
    },
    csvLine: ({ id, name, amount, at, doc, ok }) =>
      [id, name, amount, isoTime(at), quoted(JSON.stringify(doc)), ok].join(','),
  }
}

function wideRow(i: number): Record<string, unknown> {
  return {
    id: 1_000_000_000 + i,
    name: `customer ${(i * 7919) % 100_000} of ours`,
    amount: (i % 100_000) / 7,
    at: 1_700_000_000_000 + i * 13,
    doc: { city: 'Berlin', tags: ['a', 'b', `t${i % 50}`], score: i % 1000, open: i % 3 === 0 },
    ok: i % 2 === 0,
  }
}

function isoTime(timestampMs: unknown): string {
  return new Date(Number(timestampMs)).toISOString()
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

/** Writes a data set as CSV with a header; resolves with the number of rows. */
export async function writeCsv(dataset: Dataset, file: string): Promise<number> {
  const out = createWriteStream(file)
  let count = 0
  for await (const rows of dataset.rows()) {
    if (count === 0) out.write(`${Object.keys(rows[0] ?? {}).join(',')}\n`)
    count += rows.length
    if (!out.write(`${rows.map(dataset.csvLine).join('\n')}\n`))
      await new Promise<void>((resolve) => void out.once('drain', () => resolve()))
  }
  out.end()
  await finished(out)
  return count
}
