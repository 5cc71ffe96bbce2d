import type pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import { FaultProxy } from './fault-proxy.ts'
import { FaultServer } from './fault-server.ts'
import { exactness, type Way, Workshop } from './loads.ts'

// Each has a table and a proxy of its own, and mostly waits: they run beside each other.
let server: FaultServer
let shop: Workshop
const proxies: FaultProxy[] = []
beforeAll(async () => {
  server = await FaultServer.start()
  shop = new Workshop(`${server.directory}/shop`)
})
afterAll(async () => {
  for (const proxy of proxies) await proxy.stop()
  await server.stop()
})

async function ownProxy(): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(server.port)
  proxies.push(proxy)
  return proxy
}

async function expectExact(way: Way, table: string, said: string): Promise<void> {
  const { found, expected } = await exactness(server, way, table)
  expect({ said, found }).toEqual({ said, found: expected })
}

/** Somebody who holds a lock on the table, and the number of their session. */
async function locked(table: string): Promise<{ bystander: pg.Client; pid: number }> {
  const bystander = await server.session()
  const { rows } = await bystander.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await bystander.query(`BEGIN; LOCK TABLE ${table}`)
  return { bystander, pid: rows[0]?.pid ?? 0 }
}

test.concurrent.each<Way>(['load append', 'run upsert'])(
  'a %s waits for a lock, says whose, and goes on when it is free',
  async (way) => {
    const table = await shop.table(server, way)
    const { bystander, pid } = await locked(table)
    const run = shop.start(way, table, server.url)
    await run.said(/waiting for a lock/)
    await bystander.end()
    const { code, said } = await run.ended
    expect(code).toBe(0)
    expect(said).toContain(`session ${pid} (bystander as postgres) holds it, idle in transaction`)
    expectDocumented('somebody holds a lock on the table', said)
    await expectExact(way, table, said)
  },
)

test.concurrent('a lock that is never given back: Ctrl-C ends the wait, and leaves nothing behind', async () => {
  const table = await shop.table(server, 'load append')
  const { bystander } = await locked(table)
  const run = shop.start('load append', table, server.url)
  await run.said(/waiting for a lock/)
  run.kill('SIGINT')
  const { code, said } = await run.ended
  expect({ code, said }).toMatchObject({ code: 4 })
  expectDocumented('Ctrl-C while it waits', said)
  expect(
    await server.query(
      `SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY %${table}"%' AND state <> 'idle'`,
    ),
  ).toEqual([])
  await bystander.end()
  const again = await shop.start('load append', table, server.url).ended
  expect(again).toMatchObject({ code: 0 })
  await expectExact('load append', table, again.said)
})

test.concurrent('a slow line is waited for in silence', async () => {
  const table = await shop.table(server, 'load append')
  const proxy = await ownProxy()
  proxy.bytesPerSecond = 1_000_000
  const { code, said } = await shop.start('load append', table, proxy.through(server.url)).ended
  expect(code).toBe(0)
  expect(said.trim().split('\n')).toHaveLength(1)
  await expectExact('load append', table, said)
})

test.concurrent.each<[Way, 'in COPY' | 'after COMMIT']>([
  ['load upsert', 'in COPY'],
  ['run append', 'after COMMIT'],
])(
  'a line that goes dead during a %s %s is given up, and the rows arrive once',
  async (way, moment) => {
    const table = await shop.table(server, way)
    const proxy = await ownProxy()
    proxy.plan(moment, way.startsWith('load') ? 0 : 1, async () => 'swallow')
    const { code, said } = await shop.start(way, table, proxy.through(server.url)).ended
    expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 1 })
    expectDocumented('the line goes dead', said)
    await expectExact(way, table, said)
  },
)

test.concurrent('a dead line is given up even when the session that looks at it dies too', async () => {
  const way = 'load append'
  const table = await shop.table(server, way)
  const proxy = await ownProxy()
  proxy.plan('in COPY', 0, async () => 'swallow')
  proxy.plan('at a look', 0, async () => 'swallow')
  const { code, said } = await shop.start(way, table, proxy.through(server.url)).ended
  expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 2 })
  expectDocumented('the line goes dead', said)
  await expectExact(way, table, said)
})

test.concurrent('a server that takes connections and never answers is tried until it does', async () => {
  const table = await shop.table(server, 'run append')
  const proxy = await ownProxy()
  proxy.plan('in COPY', 1, async () => {
    proxy.isDeaf = true
    void sleep(1_000).then(() => (proxy.isDeaf = false))
    return 'cut'
  })
  const { code, said } = await shop.start('run append', table, proxy.through(server.url)).ended
  expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 1 })
  expectDocumented('the server does not answer', said)
  await expectExact('run append', table, said)
})

test.concurrent('Ctrl-C ends the wait for a server that is away', async () => {
  const table = await shop.table(server, 'load append')
  const proxy = await ownProxy()
  proxy.plan('in COPY', 0, async () => {
    await proxy.stop()
    return 'cut'
  })
  const run = shop.start('load append', table, proxy.through(server.url))
  await run.said(/ECONNREFUSED/)
  run.kill('SIGINT')
  const { code, said } = await run.ended
  expect({ code, said }).toMatchObject({ code: 4 })
  expectDocumented('Ctrl-C while it waits', said)
})

/** Resolves when a run waits for a row of the table. */
async function blocked(table: string): Promise<void> {
  const sql = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"${table}"%'`
  while ((await server.query(sql)).length === 0) await sleep(50)
}

test.concurrent('an upsert that falls into a deadlock is taken back and done again', async () => {
  const table = await shop.table(server, 'load upsert')
  const proxy = await ownProxy()
  await server.query(`INSERT INTO ${table} SELECT i, -1, '' FROM generate_series(0, 19999) i`)
  const bystander = await server.session()
  await bystander.query(`SET deadlock_timeout = '1min'`)
  let other: Promise<unknown> = Promise.resolve()
  proxy.plan('at BEGIN', 0, async () => {
    // Rows are written in the order of their keys.
    await bystander.query(`BEGIN; UPDATE ${table} SET n = n WHERE id = 19999`)
    other = blocked(table).then(() =>
      bystander.query(`UPDATE ${table} SET n = n WHERE id = 0; COMMIT`),
    )
    return 'go on'
  })
  const { code, said } = await shop.start('load upsert', table, proxy.through(server.url)).ended
  await other
  await bystander.end()
  expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 1 })
  expectDocumented('a deadlock', said)
  await expectExact('load upsert', table, said)
})

test.concurrent('an append that falls into a deadlock is taken back and done again', async () => {
  const table = await shop.table(server, 'run append')
  const proxy = await ownProxy()
  const bystander = await server.session()
  await bystander.query(`SET deadlock_timeout = '1min'`)
  let other: Promise<unknown> = Promise.resolve()
  proxy.plan('in COPY', 1, async () => {
    await bystander.query(
      `BEGIN; SELECT FROM millrace_fence WHERE sink = 'postgres ${table}' FOR UPDATE`,
    )
    other = bystander.query(`LOCK TABLE ${table}; COMMIT`)
    await sleep(100)
    return 'go on'
  })
  const { code, said } = await shop.start('run append', table, proxy.through(server.url)).ended
  await other
  await bystander.end()
  expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 1 })
  expectDocumented('a deadlock', said)
  await expectExact('run append', table, said)
})

test.concurrent('limits that a role or database sets for its statements cut nothing off', async () => {
  const limits = {
    statement_timeout: '300ms',
    transaction_timeout: '300ms',
    idle_in_transaction_session_timeout: '100ms',
    default_transaction_isolation: 'serializable',
    synchronous_commit: 'off',
    default_transaction_deferrable: 'on',
  }
  await server.query(
    `CREATE ROLE hasty LOGIN SUPERUSER PASSWORD 'flour';
     ${Object.entries(limits)
       .map(([name, value]) => `ALTER ROLE hasty SET ${name} = '${value}';`)
       .join(' ')}`,
  )
  const table = await shop.table(server, 'load append')
  const proxy = await ownProxy()
  proxy.bytesPerSecond = 1_000_000
  const { code, said } = await shop.start(
    'load append',
    table,
    proxy.through(server.urlOf('hasty', 'flour')),
  ).ended
  expect({ code, said }).toMatchObject({ code: 0 })
  expect(said.trim().split('\n')).toHaveLength(1)
  await expectExact('load append', table, said)
})
