import { join } from 'node:path'
import { open, pipeline, postgres, Producer, run, topic, type Log } from 'millrace'
import { type Database, hasPsql, withDatabase } from './database.ts'
import { type Dataset, narrow, wide, writeCsv } from './datasets.ts'
import { compare, type Comparison } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const rowCount = 500_000

/** Topic → table, exactly once, one connection, against `psql \copy` CSV of the same rows. */
export async function measure(): Promise<Row[]> {
  return [...(await rowsOf(narrow(rowCount), 1.2)), ...(await rowsOf(wide(rowCount), 1.4))]
}

async function rowsOf(dataset: Dataset, aim: number): Promise<Row[]> {
  const what = `topic → Postgres append, exactly once, one connection: ${dataset.name}`
  if (!hasPsql()) {
    return [
      {
        what,
        got: 'no psql here (apt-get install postgresql-client)',
        spread: '',
        floor: '1.00',
        aim: `${aim}`,
        holds: undefined,
      },
    ]
  }
  return inScratch((directory) =>
    withDatabase(directory, async (database) => {
      const csv = join(directory, 'rows.csv')
      await writeCsv(dataset, csv)
      const log = await open(join(directory, 'log'))
      await fill(log, dataset)
      await database.sql(dataset.createTable('ours'))
      await database.sql(dataset.createTable('theirs'))
      let round = 0
      const ours = () => fromTopic(log, dataset, database, `round-${round++}`)
      const baseline = () => fromCsv(database, csv)
      await ours()
      const found = await compare(ours, baseline)
      await checkSame(database)
      await log.close()
      const binary = join(directory, 'rows.bin')
      await database.psql(`\\copy ours TO '${binary}' WITH (FORMAT binary)`)
      const ceiling = await compare(() => fromBinary(database, binary), baseline, 5)
      return [ratioRow(what, found, 1, aim, 'rows'), ceilingRow(dataset, ceiling)]
    }),
  )
}

async function fill(log: Log, dataset: Dataset): Promise<void> {
  await log.createTopic({ name: 'rows', config: { durability: 'os' } })
  const producer = new Producer(log, { value: dataset.serde })
  for await (const rows of dataset.rows()) {
    for (const value of rows) void producer.send({ topic: 'rows', value })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

async function fromTopic(
  log: Log,
  dataset: Dataset,
  database: Database,
  name: string,
): Promise<number> {
  await database.sql('TRUNCATE ours')
  await database.sql('CHECKPOINT')
  const rows = topic('rows', { value: dataset.serde, partitions: 1 })
  const load = pipeline(name, ({ from }) => {
    from(rows).to(postgres.table('ours', { url: database.url, connections: 1 }))
  })
  const startMs = performance.now()
  await run(load, { log })
  return rowCount / ((performance.now() - startMs) / 1000)
}

async function fromCsv(database: Database, csv: string): Promise<number> {
  await database.sql('TRUNCATE theirs')
  await database.sql('CHECKPOINT')
  const startMs = performance.now()
  await database.psql(`\\copy theirs FROM '${csv}' WITH (FORMAT csv, HEADER)`)
  return rowCount / ((performance.now() - startMs) / 1000)
}

/** Ready-made bytes: how fast this server takes rows from a client that computes nothing. */
async function fromBinary(database: Database, file: string): Promise<number> {
  await database.sql('TRUNCATE theirs')
  await database.sql('CHECKPOINT')
  const startMs = performance.now()
  await database.psql(`\\copy theirs FROM '${file}' WITH (FORMAT binary)`)
  return rowCount / ((performance.now() - startMs) / 1000)
}

function ceilingRow(dataset: Dataset, found: Comparison): Row {
  const what = `the ceiling: \`psql \\copy\` of the same rows in ready-made binary: ${dataset.name}`
  return { ...ratioRow(what, found, 0, 0, 'rows'), floor: '–', aim: '–' }
}

/** The race counts only if both finish with the same rows. */
async function checkSame(database: Database): Promise<void> {
  const [counts] = await database.sql(
    'SELECT (SELECT count(*) FROM ours) AS ours, (SELECT count(*) FROM theirs) AS theirs, (SELECT count(*) FROM (TABLE ours EXCEPT ALL TABLE theirs) d) AS different',
  )
  if (Number(counts?.['ours']) !== rowCount || Number(counts?.['different']) !== 0) {
    throw new Error(`the tables differ: ${JSON.stringify(counts)}`)
  }
}
