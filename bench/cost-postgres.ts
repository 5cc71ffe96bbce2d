import { join } from 'node:path'
import {
  filter,
  map,
  open,
  type Pipeline,
  pipeline,
  postgres,
  Producer,
  run,
  type Serde,
  type Sink,
  topic,
} from 'millrace'
import { CopyBuffer } from '../connectors/src/postgres/copy-buffer.ts'
import { codecOf } from '../connectors/src/postgres/codecs/catalog.ts'
import { rowEncoder } from '../connectors/src/postgres/row-encoder.ts'
import { minus } from './cost-log.ts'
import type { Step } from './cost.ts'
import { cpuTimeOf, processTreeNs } from './cpu-time.ts'
import { withDatabase } from './database.ts'
import type { Dataset } from './datasets.ts'

type Row = Record<string, unknown>

/** OIDs of the columns' types, for the encoder alone. */
const columnTypes: Readonly<Record<string, number>> = {
  date: 1184,
  delay: 23,
  distance: 23,
  origin: 25,
  destination: 25,
}

/** From a topic through operators into a table. */
export function postgresSteps(
  directory: string,
  dataset: Dataset,
  rows: readonly Row[],
): Promise<Step[]> {
  return withDatabase(directory, async (database) => {
    const log = await open(join(directory, 'rows-log'))
    const serde = dataset.serde
    const input = topic('rows', { value: serde, partitions: 1 })
    await fill(log, serde, rows)
    let runs = 0
    const timeOf = (build: (name: string) => Pipeline) =>
      cpuTimeOf(async () => void (await run(build(`cost-${runs++}`), { log })))

    const bare = await timeOf((name) => pipeline(name, ({ from }) => from(input).to(nowhere(name))))
    const operators = await timeOf((name) =>
      pipeline(name, ({ from }) => {
        from(input)
          .pipe(
            filter((row) => row['delay'] !== null),
            map((row) => ({ ...row, delay: Number(row['delay']) })),
          )
          .to(nowhere(name))
      }),
    )
    const encode = await cpuTimeOf(() => void copyBytes(rows))
    await database.sql(dataset.createTable('ours'))
    const [server] = await database.sql(
      `SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1) AS pid`,
    )
    const [before] = await database.sql('SELECT pg_current_wal_lsn() AS lsn')
    const serverBefore = processTreeNs(Number(server?.['pid']))
    let writes = 0
    const loaded = await timeOf((name) =>
      pipeline(name, ({ from }) => {
        writes++
        from(input).to(postgres.table('ours', { url: database.url, connections: 1 }))
      }),
    )
    const serverNs = (processTreeNs(Number(server?.['pid'])) - serverBefore) / writes
    const [after] = await database.sql(
      `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${String(before?.['lsn'])}') AS bytes`,
    )
    await log.close()
    return [
      {
        what: 'deliver stage: fetch, step and decode as above, epochs, rows as arrays',
        time: bare,
        isSum: true,
      },
      { what: 'operators: filter and map with a copy of the row', time: minus(operators, bare) },
      {
        what: 'row → binary COPY',
        time: encode,
        bytes: copyBytes(rows) / rows.length,
        of: 'sent to the server',
      },
      { what: 'socket, transaction, fence', time: minus(loaded, bare, encode) },
      {
        what: 'Postgres: heap, WAL, commit (its own process)',
        time: { mainNs: 0, otherNs: serverNs, wallNs: serverNs },
        bytes: Number(after?.['bytes']) / writes / rows.length,
        of: 'WAL',
      },
    ]
  })
}

async function fill(
  log: Awaited<ReturnType<typeof open>>,
  serde: Serde<Row>,
  rows: readonly Row[],
) {
  await log.createTopic({ name: 'rows', config: { durability: 'os' } })
  const producer = new Producer(log, { value: serde })
  for (const value of rows) {
    void producer.send({ topic: 'rows', value })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

/** The COPY encoder alone; gives the bytes that it made. */
function copyBytes(rows: readonly Row[]): number {
  const columns = Object.entries(columnTypes).map(([name, oid]) => ({
    name,
    codec: codecOf(oid, new Map()),
    type: '',
  }))
  const encoder = rowEncoder(columns)
  const out = new CopyBuffer()
  let bytes = 0
  for (const [index, row] of rows.entries()) {
    encoder.row(out, null, row, index)
    if (out.position > 128 * 1024) bytes += out.take().length
  }
  return bytes + out.position
}

/** A sink that takes everything and keeps nothing. */
function nowhere(name: string): Sink<Row> {
  return {
    kind: 'sink',
    name,
    guarantee: 'at-least-once',
    mode: 'append',
    open: () =>
      Promise.resolve({
        claim: () =>
          Promise.resolve({
            position: undefined,
            write: () => Promise.resolve(),
            release: () => Promise.resolve(),
          }),
        close: () => Promise.resolve(),
      }),
  }
}
