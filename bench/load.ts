import { join } from 'node:path'
import { csv, load, postgres } from 'millrace'
import { type Database, hasPsql, withDatabase } from './database.ts'
import { narrow, writeCsv } from './datasets.ts'
import { compare } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const rowCount = 1_000_000

/** `millrace load` of a CSV file, exactly once, against `psql \copy` of the same file. */
export async function measure(): Promise<Row[]> {
  const what = '`millrace load` CSV → Postgres'
  if (!hasPsql()) {
    const got = 'no psql here (apt-get install postgresql-client)'
    return [{ what, got, spread: '', floor: '1.00', aim: '1.15', holds: undefined }]
  }
  return inScratch((directory) =>
    withDatabase(directory, async (database) => {
      const dataset = narrow(rowCount)
      const file = join(directory, 'rows.csv')
      await writeCsv(dataset, file)
      await database.sql(dataset.createTable('ours'))
      await database.sql(dataset.createTable('theirs'))
      let round = 0
      const ours = () => loadOnce(database, file, `round-${round++}`)
      await ours()
      const found = await compare(ours, () => copyOnce(database, file))
      await checkSame(database)
      return [ratioRow(what, found, 1, 1.15, 'rows')]
    }),
  )
}

async function loadOnce(database: Database, file: string, name: string): Promise<number> {
  await database.sql('TRUNCATE ours')
  await database.sql('CHECKPOINT')
  const startMs = performance.now()
  const sink = postgres.table<never>('ours', { url: database.url })
  await load({ source: csv(file), sink, name })
  return rowCount / ((performance.now() - startMs) / 1000)
}

async function copyOnce(database: Database, file: string): Promise<number> {
  await database.sql('TRUNCATE theirs')
  await database.sql('CHECKPOINT')
  const startMs = performance.now()
  await database.psql(`\\copy theirs FROM '${file}' WITH (FORMAT csv, HEADER)`)
  return rowCount / ((performance.now() - startMs) / 1000)
}

async function checkSame(database: Database): Promise<void> {
  const [found] = await database.sql(
    'SELECT count(*) AS different FROM (TABLE ours EXCEPT ALL TABLE theirs) d',
  )
  if (Number(found?.['different']) !== 0) throw new Error('the tables differ')
}
