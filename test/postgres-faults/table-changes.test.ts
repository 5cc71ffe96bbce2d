import { postgres } from '@millrace/connectors'
import type { SinkBatch } from '@millrace/processors'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import { FaultProxy } from './fault-proxy.ts'
import { FaultServer } from './fault-server.ts'
import { exactness, records, type Ended, type Way, Workshop } from './loads.ts'

let server: FaultServer
let proxy: FaultProxy
let shop: Workshop
beforeAll(async () => {
  server = await FaultServer.start()
  proxy = await FaultProxy.start(server.port)
  shop = new Workshop(`${server.directory}/shop`)
  await server.query(
    `CREATE ROLE mill LOGIN PASSWORD 'flour'; GRANT ALL ON SCHEMA public TO mill;
     ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO mill`,
  )
})
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})

const run = (way: Way, table: string): Promise<Ended> =>
  shop.start(way, table, proxy.through(server.urlOf('mill', 'flour'))).ended

/** Has a statement run in another session when a later transaction begins. */
function atBegin(skip: number, sql: string): void {
  proxy.reset()
  proxy.plan('at BEGIN', skip, async () => {
    await server.query(sql)
    return 'go on'
  })
}

async function expectExact(way: Way, table: string, said: string): Promise<void> {
  const { found, expected } = await exactness(server, way, table)
  expect({ said, found }).toEqual({ said, found: expected })
}

describe('what leaves the columns in place is taken along', () => {
  test.each<[string, Way, number, (table: string) => string]>([
    ['a column is added', 'run append', 1, (t) => `ALTER TABLE ${t} ADD extra text DEFAULT 'x'`],
    ['a column is added', 'load upsert', 0, (t) => `ALTER TABLE ${t} ADD extra text DEFAULT 'x'`],
    ['a column gets a wider type', 'run append', 1, (t) => `ALTER TABLE ${t} ALTER n TYPE bigint`],
    ['a column gets a wider type', 'load append', 0, (t) => `ALTER TABLE ${t} ALTER n TYPE bigint`],
    ['a column gets a wider type', 'run upsert', 1, (t) => `ALTER TABLE ${t} ALTER n TYPE bigint`],
  ])('%s during a %s', async (fault, way, skip, sql) => {
    const table = await shop.table(server, way)
    atBegin(skip, sql(table))
    const { code, said } = await run(way, table)
    expect({ code, said, fired: proxy.fired }).toEqual({ code: 0, said, fired: 1 })
    await expectExact(way, table, said)
    expectDocumented(fault, said)
  })

  test.each<[Way, number]>([
    ['run append', 1],
    ['load append', 0],
  ])('bytes of the old type never pass for a value of the new one (%s)', async (way, skip) => {
    const table = await shop.table(server, way)
    // Four bytes as well.
    atBegin(skip, `ALTER TABLE ${table} ALTER n TYPE real`)
    const { code, said } = await run(way, table)
    expect({ code, fired: proxy.fired, said }).toEqual({ code: 0, fired: 1, said })
    const [row] = await server.query(`SELECT count(*)::int, sum(n::int)::int FROM ${table}`)
    expect(row).toEqual([records, (records * (records - 1)) / 2])
  })
})

test.each<[string, Way, number, (t: string) => string, (t: string) => string]>([
  [
    'a column is renamed',
    'run append',
    1,
    (t) => `ALTER TABLE ${t} RENAME name TO title`,
    (t) => `ALTER TABLE ${t} RENAME title TO name`,
  ],
  [
    'a column is dropped',
    'load append',
    0,
    (t) => `ALTER TABLE ${t} DROP name`,
    (t) => `ALTER TABLE ${t} ADD name text`,
  ],
  [
    'the unique index is dropped',
    'load upsert',
    0,
    (t) => `ALTER TABLE ${t} DROP CONSTRAINT ${t}_pkey`,
    (t) => `ALTER TABLE ${t} ADD PRIMARY KEY (id)`,
  ],
  [
    'a right is taken away',
    'run upsert',
    1,
    (t) => `REVOKE INSERT ON ${t} FROM mill`,
    (t) => `GRANT INSERT ON ${t} TO mill`,
  ],
])(
  '%s during a %s: it stops, and goes on once that is undone',
  async (fault, way, skip, sql, undo) => {
    const table = await shop.table(server, way)
    atBegin(skip, sql(table))
    const stopped = await run(way, table)
    expect({ ...stopped, fired: proxy.fired }).toMatchObject({ code: 2, fired: 1 })
    expectDocumented(fault, stopped.said)
    await server.query(undo(table))
    const { code, said } = await run(way, table)
    expect({ code, said }).toMatchObject({ code: 0 })
    await expectExact(way, table, said)
  },
)

test.each<[Way, number]>([
  ['run append', 1],
  ['run upsert', 1],
])(
  'a table that is dropped and made anew during a %s is not filled from the middle',
  async (way, skip) => {
    const table = await shop.table(server, way)
    const columns = `(id int${way.endsWith('upsert') ? ' PRIMARY KEY' : ''}, n int, name text)`
    atBegin(skip, `DROP TABLE ${table}`)
    const stopped = await run(way, table)
    expect(stopped).toMatchObject({ code: 2 })
    expectDocumented('the table is dropped', stopped.said)
    await server.query(`CREATE TABLE ${table} ${columns}`)
    const refused = await run(way, table)
    expect(refused).toMatchObject({ code: 2 })
    expectDocumented('the table is made anew', refused.said)
    expect(await server.query(`SELECT FROM ${table}`)).toEqual([])
    await server.query(/DELETE FROM [^;]*;/.exec(refused.said)?.[0] ?? '')
    const { code, said } = await run(way, table)
    expect({ code, said }).toMatchObject({ code: 0 })
    await expectExact(way, table, said)
  },
)

test('dropped and made anew between two transactions: nothing goes into the new one', async () => {
  const table = await shop.table(server, 'run append')
  atBegin(1, `DROP TABLE ${table}; CREATE TABLE ${table} (id int, n int, name text)`)
  const { code, said } = await run('run append', table)
  expect({ code, said }).toMatchObject({ code: 2 })
  expect(said).toContain('TABLE_REPLACED')
  expect(await server.query(`SELECT FROM ${table}`)).toEqual([])
})

test('what others delete stays deleted: a TRUNCATE in the middle takes the rows before it, once', async () => {
  const table = await shop.table(server, 'run append')
  let before = 0
  proxy.reset()
  proxy.plan('at BEGIN', 1, async () => {
    before = Number((await server.query(`SELECT count(*) FROM ${table}`))[0]?.[0])
    await server.query(`TRUNCATE ${table}`)
    return 'go on'
  })
  const { code } = await run('run append', table)
  expect(code).toBe(0)
  expect(before).toBeGreaterThan(0)
  const [[rows, first] = []] = await server.query(`SELECT count(*)::int, min(n) FROM ${table}`)
  expect([rows, first]).toEqual([records - before, before])
})

test('bytes of the old type are found out in every task, whoever looks at the table first', async () => {
  const table = await shop.table(server, 'run append')
  const sink = postgres(proxy.through(server.url)).table(table, {
    connections: 2,
    columns: ['n'],
  })
  const open = await sink.open({
    pipeline: 'two',
    logId: 'log',
    columns: [],
    notice: () => {},
    signal: new AbortController().signal,
  })
  const tasks = await Promise.all(['a', 'b'].map((name) => open.claim(name)))
  const batch = (position: number): SinkBatch => {
    const values = Array.from({ length: 1_000 }, (_, n) => ({ n }))
    return { size: values.length, keys: values.map(() => null), values, position }
  }
  // Binary rows of the one arrive when the other has already looked at the table again.
  await server.query(`ALTER TABLE ${table} ALTER n TYPE real`)
  proxy.reset()
  let writes: Promise<void>[] = []
  proxy.plan('in COPY', 0, async () => {
    await Promise.race(writes)
    return 'go on'
  })
  writes = tasks.map((task) => task.write(batch(1)))
  await Promise.all(writes)
  await open.close()
  expect(await server.query(`SELECT count(*)::int, sum(n)::int FROM ${table}`)).toEqual([
    [2_000, 2 * 499_500],
  ])
})
