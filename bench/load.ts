import { join } from 'node:path'
import { csv, load, loadTable, ndjson, parquet, postgres, type FileSource } from 'millrace'
import { type Database, hasPsql, withDatabase } from './database.ts'
import { narrow, wide, writeCsv } from './datasets.ts'
import { type LoadFiles, writeLoadFiles } from './load-files.ts'
import { duckdb, type OtherLoader, pgloader } from './other-loaders.ts'
import { compare, type Measured } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const rowCount = Number(process.env['BENCH_LOAD_ROWS'] ?? 1_000_000)
const wideRowCount = 300_000
const rounds = Number(process.env['BENCH_LOAD_ROUNDS'] ?? 5)

/**
 * `millrace load`, exactly once, against `psql \copy` of the same rows and against other loaders; every
 * table is compared row by row before its figure counts. NDJSON and Parquet are compared with CSV:
 * NDJSON by its bytes of text, Parquet by the bytes that its rows have as CSV.
 */
export async function measure(): Promise<Row[]> {
  if (!hasPsql()) {
    const got = 'no psql here (apt-get install postgresql-client)'
    const what = '`millrace load` CSV → Postgres'
    return [{ what, got, spread: '', floor: '1.00', aim: '1.15', holds: undefined }]
  }
  return inScratch((directory) =>
    withDatabase(directory, async (database) => {
      const files = await writeLoadFiles(narrow(rowCount), directory)
      const bench = new LoadBench(database, files, directory)
      await bench.prepare()
      return [
        ...(await bench.againstPsql()),
        ...(await bench.otherFormats()),
        ...(await bench.againstOthers()),
        await bench.betweenDatabases(),
        ...(await wideRows(database, directory)),
      ]
    }),
  )
}

class LoadBench {
  readonly #database: Database
  readonly #files: LoadFiles
  readonly #directory: string
  #round = 0

  constructor(database: Database, files: LoadFiles, directory: string) {
    this.#database = database
    this.#files = files
    this.#directory = directory
  }

  async prepare(): Promise<void> {
    const { createTable } = narrow(rowCount)
    for (const table of ['ours', 'theirs']) await this.#database.sql(createTable(table))
    await this.#psql(this.#files.csv)()
    await this.#database.sql('CREATE TABLE reference AS TABLE theirs')
    await this.#load(csv<never>(this.#files.csv), 1)()
  }

  async againstPsql(): Promise<Row[]> {
    const { csv: file, gzip, zstd } = this.#files
    const psql = this.#psql(file)
    const row = async (
      what: string,
      source: FileSource<never>,
      n: number,
      floor: number,
      aim: number,
    ) =>
      this.#row(
        `\`millrace load\` ${what} to \`psql \\copy\` CSV`,
        this.#load(source, n),
        psql,
        floor,
        aim,
      )
    return [
      await row('CSV, 1 connection', csv<never>(file), 1, 1, 1.15),
      await row('CSV, 2 connections', csv<never>(file), 2, 1.6, 2),
      await row('CSV as gzip, 2 connections', csv<never>(gzip), 2, 1, 1.6),
      await row('CSV as zstd, 2 connections', csv<never>(zstd), 2, 1, 1.6),
    ]
  }

  async otherFormats(): Promise<Row[]> {
    const { csv: file, ndjson: json, parquet: columns, csvBytes, ndjsonBytes } = this.#files
    const base = this.#load(csv<never>(file), 2, csvBytes)
    return [
      await this.#row(
        'NDJSON to CSV, in bytes of text, 2 connections',
        this.#load(ndjson<never>(json), 2, ndjsonBytes),
        base,
        0.9,
        1,
        'B',
      ),
      await this.#row(
        'Parquet to CSV, in bytes as CSV, 2 connections',
        this.#load(parquet<never>(columns), 2, csvBytes),
        base,
        0.9,
        1,
        'B',
      ),
    ]
  }

  async againstOthers(): Promise<Row[]> {
    const rows: Row[] = []
    for (const other of [pgloader, duckdb]) rows.push(await this.#against(other))
    return rows
  }

  /** From one table to another, against `psql` on both sides of a pipe. */
  async betweenDatabases(): Promise<Row> {
    const { url } = this.#database
    await this.#database.sql('CREATE TABLE origin AS TABLE ours')
    const pipe = this.#theirs(() =>
      this.#database.shell(
        `psql "${url}" -Xqc '\\copy origin TO STDOUT' | psql "${url}" -Xqc '\\copy theirs FROM STDIN'`,
      ),
    )
    const ours = this.#ours(async () => {
      const sink = postgres(url).table('ours')
      await loadTable({ from: { url, table: 'origin' }, sink, name: `copy ${this.#round++}` })
    })
    return this.#row('table → table to `psql \\copy | psql \\copy`', ours, pipe, 1, 1.3)
  }

  async #against(other: OtherLoader): Promise<Row> {
    const what = `\`millrace load\` CSV, 2 connections, to ${other.name}`
    const missing = await other.missing()
    if (missing !== undefined) {
      return { what, got: missing, spread: '', floor: '1.00', aim: '1.00', holds: undefined }
    }
    const { csv: file } = this.#files
    const theirs = this.#theirs(() => other.load(this.#database.url, file, this.#directory))
    return this.#row(what, this.#load(csv<never>(file), 2), theirs, 1, 1)
  }

  async #row(
    what: string,
    ours: Measured,
    theirs: Measured,
    floor: number,
    aim: number,
    unit = 'rows',
  ): Promise<Row> {
    const isBothOurs = unit === 'B'
    const found = await compare(ours, theirs, rounds)
    await this.#checkSame(isBothOurs)
    return ratioRow(what, found, floor, aim, unit)
  }

  #psql(file: string): Measured {
    return this.#theirs(() =>
      this.#database.psql(`\\copy theirs FROM '${file}' WITH (FORMAT csv, HEADER)`),
    )
  }

  #load(source: FileSource<never>, connections: number, units = rowCount): Measured {
    return this.#ours(async () => {
      const sink = postgres.table<never>('ours', { url: this.#database.url, connections })
      await load<never>({ source, sink, connections, name: `round ${this.#round++}` })
    }, units)
  }

  #ours(work: () => Promise<unknown>, units = rowCount): Measured {
    return timed(this.#database, 'ours', units, work)
  }

  #theirs(work: () => Promise<unknown>): Measured {
    return timed(this.#database, 'theirs', rowCount, work)
  }

  /** The race counts only if both finish with the same rows. */
  async #checkSame(isBothOurs: boolean): Promise<void> {
    const tables = isBothOurs ? ['ours'] : ['ours', 'theirs']
    for (const table of tables) {
      const [found] = await this.#database.sql(
        `SELECT (SELECT count(*) FROM ${table}) AS rows,
           (SELECT count(*) FROM (TABLE ${table} EXCEPT ALL TABLE reference) d) AS different`,
      )
      if (Number(found?.['different']) !== 0 || Number(found?.['rows']) !== rowCount) {
        throw new Error(`${table} differs from the reference: ${JSON.stringify(found)}`)
      }
    }
  }
}

/** Text, numbers and jsonb: 146 bytes a row. */
async function wideRows(database: Database, directory: string): Promise<Row[]> {
  const dataset = wide(wideRowCount)
  const file = join(directory, 'wide.csv')
  await writeCsv(dataset, file)
  for (const table of ['wide_ours', 'wide_theirs']) await database.sql(dataset.createTable(table))
  let round = 0
  const ours = (connections: number) =>
    timed(database, 'wide_ours', wideRowCount, async () => {
      const sink = postgres.table<never>('wide_ours', { url: database.url, connections })
      await load<never>({ source: csv<never>(file), sink, connections, name: `wide ${round++}` })
    })
  const psql = timed(database, 'wide_theirs', wideRowCount, () =>
    database.psql(`\\copy wide_theirs FROM '${file}' WITH (FORMAT csv, HEADER)`),
  )
  await ours(1)()
  const row = async (connections: number, floor: number, aim: number): Promise<Row> => {
    const what = `\`millrace load\` CSV with jsonb, ${connections} connection(s), to \`psql \\copy\` CSV`
    return ratioRow(what, await compare(ours(connections), psql, rounds), floor, aim, 'rows')
  }
  return [await row(1, 1, 1.15), await row(2, 1.6, 2)]
}

/** Units a second of work that fills a table; the server's own chores come before. */
function timed(
  database: Database,
  table: string,
  units: number,
  work: () => Promise<unknown>,
): Measured {
  return async () => {
    await database.sql(`TRUNCATE ${table}`)
    await database.sql('CHECKPOINT')
    const startMs = performance.now()
    await work()
    return units / ((performance.now() - startMs) / 1000)
  }
}
