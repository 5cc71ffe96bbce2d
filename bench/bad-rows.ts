import { join } from 'node:path'
import { BatchWriter, json, type Log, open, pipeline, postgres, run, topic } from 'millrace'
import { type Database, withDatabase } from './database.ts'
import { compare } from './paired.ts'
import { ratioRow, type Row } from './report.ts'
import { inScratch } from './scratch.ts'

const rowCount = 200_000
const rowsPerBatch = 5_000

/** Half a percent bad rows, half of them in a row and half scattered, of two kinds. */
function isBad(id: number): boolean {
  return id % 400 === 7 || (id >= 100_000 && id < 100_500)
}

/** Topic → table with thousands of bad rows, against the same without a bad one, in the same run. */
export async function measure(): Promise<Row[]> {
  return inScratch((directory) =>
    withDatabase(directory, async (database) => {
      const log = await open(join(directory, 'log'))
      await fill(log, 'good', () => false)
      await fill(log, 'bad', isBad)
      await database.sql('CREATE TABLE parent (id int PRIMARY KEY)')
      await database.sql('INSERT INTO parent VALUES (1)')
      await database.sql(
        'CREATE TABLE target (id int PRIMARY KEY, v int CHECK (v < 100), p int REFERENCES parent)',
      )
      const rows: Row[] = []
      let round = 0
      for (const mode of ['append', 'upsert'] as const) {
        const timed = (name: string) => () => deliver(log, database, name, mode, `round-${round++}`)
        const found = await compare(timed('bad'), timed('good'), 3)
        const what = `0.5 % bad rows to the dead letters, ${mode}, against the same without`
        rows.push(ratioRow(what, found, 0.2, 0.4, 'rows'))
      }
      await log.close()
      return rows
    }),
  )
}

async function fill(log: Log, name: string, isRefused: (id: number) => boolean): Promise<void> {
  await log.createTopic({ name, config: { durability: 'os' } })
  const batch = new BatchWriter()
  for (let id = 0; id < rowCount; id += 1) {
    const [v, p] = isRefused(id) ? (id % 2 === 0 ? [100, 1] : [1, 9]) : [1, 1]
    batch.append(null, `{"id":${id},"v":${v},"p":${p}}`, id)
    if (batch.recordCount < rowsPerBatch && id + 1 < rowCount) continue
    await log.append({ topic: name, partition: 0, batch: batch.finish() })
  }
}

async function deliver(
  log: Log,
  database: Database,
  name: string,
  mode: 'append' | 'upsert',
  pipelineName: string,
): Promise<number> {
  await database.sql('TRUNCATE target')
  await database.sql('CHECKPOINT')
  const rows = topic(name, { value: json<{ id: number }>() })
  const load = pipeline(pipelineName, ({ from }) => {
    const key = mode === 'upsert' ? { key: 'id' as const } : {}
    from(rows).to(postgres.table('target', { url: database.url, connections: 1, ...key }))
  })
  const startMs = performance.now()
  await run(load, { log, onError: 'dead-letter' })
  return rowCount / ((performance.now() - startMs) / 1000)
}
