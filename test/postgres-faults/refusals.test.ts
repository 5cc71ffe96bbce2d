import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import { FaultProxy } from './fault-proxy.ts'
import { FaultServer } from './fault-server.ts'
import { exactness, type Way, Workshop } from './loads.ts'

let server: FaultServer
let proxy: FaultProxy
let shop: Workshop
beforeAll(async () => {
  server = await FaultServer.start({ max_connections: '20' })
  proxy = await FaultProxy.start(server.port)
  shop = new Workshop(`${server.directory}/shop`)
  await server.query(`CREATE ROLE mill LOGIN SUPERUSER PASSWORD 'flour'`)
})
afterEach(() => readOnly(false))
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})

async function expectExact(way: Way, table: string, said: string): Promise<void> {
  const { found, expected } = await exactness(server, way, table)
  expect({ said, found }).toEqual({ said, found: expected })
}

test.each<[Way, number]>([
  ['load append', 0],
  ['run upsert', 1],
])('a password changed during a %s ends it; with the new one it goes on', async (way, skip) => {
  const table = await shop.table(server, way)
  await server.query(`ALTER ROLE mill PASSWORD 'flour'`)
  proxy.reset()
  proxy.plan('in COPY', skip, async () => {
    await server.query(`ALTER ROLE mill PASSWORD 'new-flour'`)
    return 'cut'
  })
  const stopped = await shop.start(way, table, proxy.through(server.urlOf('mill', 'flour'))).ended
  expect(stopped).toMatchObject({ code: 2 })
  expectDocumented('the password is changed', stopped.said)
  expect(stopped.said).not.toContain('flour')
  const { code, said } = await shop.start(way, table, server.urlOf('mill', 'new-flour')).ended
  expect({ code, said }).toMatchObject({ code: 0 })
  await expectExact(way, table, said)
})

test('what does not pass within its patience ends the run with 4; the next one goes on', async () => {
  const way = 'run append'
  const table = await shop.table(server, way)
  proxy.reset()
  proxy.plan('in COPY', 1, async () => {
    await readOnly(true)
    return 'cut'
  })
  const env = { PATIENCE_MS: '3000' }
  const stopped = await shop.start(way, table, proxy.through(server.url), env).ended
  expect(stopped).toMatchObject({ code: 4 })
  expectDocumented('the server stays read-only', stopped.said)

  const early = await shop.start(way, table, server.url, env).ended
  expect({ ...early, what: 'a start on a read-only server' }).toMatchObject({ code: 4 })
  await readOnly(false)
  const { code, said } = await shop.start(way, table, server.url).ended
  expect({ code, said }).toMatchObject({ code: 0 })
  await expectExact(way, table, said)
})

async function readOnly(isOn: boolean): Promise<void> {
  await server.query(`ALTER SYSTEM SET default_transaction_read_only = ${isOn ? 'on' : 'off'}`)
  await server.query('SELECT pg_reload_conf()')
}

test('a full server refuses a start with 4, and says that it is there', async () => {
  const table = await shop.table(server, 'load append')
  await server.query(`CREATE ROLE poor LOGIN PASSWORD 'flour' CONNECTION LIMIT 0`)
  const { code, said } = await shop.start('load append', table, server.urlOf('poor', 'flour')).ended
  expect({ code, said }).toMatchObject({ code: 4 })
  expectDocumented('all connections are taken at the start', said)
})

test('a start when all connections are taken waits until one is free', async () => {
  const table = await shop.table(server, 'load append')
  await server.query(
    `CREATE ROLE miller LOGIN PASSWORD 'flour'; GRANT ALL ON SCHEMA public TO miller; GRANT ALL ON ALL TABLES IN SCHEMA public TO miller`,
  )
  const url = server.urlOf('miller', 'flour')
  const others = await takeAll(url)
  const run = shop.start('load append', table, url)
  await run.said(/takes nobody .*(too many clients|slots are reserved)/)
  for (const other of others) await other.end()
  const { code, said } = await run.ended
  expect({ code, said }).toMatchObject({ code: 0 })
  await expectExact('load append', table, said)
})

/** Sessions until the server has no more. */
async function takeAll(url: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = []
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    const isRefused = await client.connect().then(
      () => false,
      () => true,
    )
    if (isRefused) return taken
    taken.push(client)
  }
}

test.each<[Way]>([['load upsert'], ['run append']])(
  'whatever passes by itself is tried again, and dead-letters nothing (%s)',
  async (way) => {
    const table = await shop.table(server, way)
    const codes = ['40001', '53200', '55P03', '58030']
    // A sequence does not go back with its transaction.
    await server.query(
      `CREATE SEQUENCE ${table}_hits;
       CREATE FUNCTION ${table}_fails() RETURNS trigger LANGUAGE plpgsql AS $$
       DECLARE code text := (ARRAY['${codes.join("','")}'])[nextval('${table}_hits')];
       BEGIN
         IF code IS NOT NULL THEN RAISE EXCEPTION 'planned' USING ERRCODE = code; END IF;
         RETURN NULL;
       END$$;
       CREATE TRIGGER fails AFTER INSERT ON ${table} EXECUTE FUNCTION ${table}_fails()`,
    )
    const { code, said } = await shop.start(way, table, server.url).ended
    for (const one of codes) expect(said).toContain(`planned (${one}); trying again`)
    expect(code).toBe(0)
    expectDocumented('a serialisation failure, or no memory', said)
    await expectExact(way, table, said)
  },
)

test.each<['before COMMIT' | 'after COMMIT']>([['before COMMIT'], ['after COMMIT']])(
  'a database that lost what it had confirmed (a replica that was behind, cut %s) is filled again from there',
  async (moment) => {
    const way = 'run append'
    const table = await shop.table(server, way)
    proxy.reset()
    proxy.plan('at BEGIN', 1, async () => {
      await server.query(
        `CREATE TABLE ${table}_replica AS TABLE ${table};
         CREATE TABLE ${table}_fence AS SELECT * FROM millrace_fence WHERE sink = 'postgres ${table}'`,
      )
      return 'go on'
    })
    // Two confirmed transactions go, and one of which nobody knows.
    proxy.plan(moment, 2, async () => {
      await server.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'millrace %'`,
      )
      await server.query(
        `TRUNCATE ${table}; INSERT INTO ${table} TABLE ${table}_replica;
         DELETE FROM millrace_fence WHERE sink = 'postgres ${table}';
         INSERT INTO millrace_fence TABLE ${table}_fence`,
      )
      return 'cut'
    })
    const stopped = await shop.start(way, table, proxy.through(server.url)).ended
    expect({ ...stopped, fired: proxy.fired }).toMatchObject({ code: 4, fired: 2 })
    expectDocumented('the database lost what it had confirmed', stopped.said)
    const { code, said } = await shop.start(way, table, server.url).ended
    expect({ code, said }).toMatchObject({ code: 0 })
    await expectExact(way, table, said)
  },
)
