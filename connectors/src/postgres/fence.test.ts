import { FencedError, UsageError } from '@millrace/core'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { postgres } from './postgres.ts'
import { CuttingProxy } from './testing/cutting-proxy.ts'
import type { Cut } from './testing/cutting-proxy.ts'
import { TestDatabase, batchOf, testContext } from './testing/test-database.ts'

let database: TestDatabase
const proxies: CuttingProxy[] = []
beforeAll(async () => {
  database = await TestDatabase.start()
})
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.stop()
})
afterAll(() => database.stop())

async function proxied(): Promise<CuttingProxy> {
  const proxy = await CuttingProxy.start(database.server.port)
  proxies.push(proxy)
  return proxy
}

test('who lost the task can write nothing; who has it goes on behind the last commit', async () => {
  await database.rows('CREATE TABLE zombies (id int)')
  const sink = postgres(database.url).table('zombies')
  const [first, second] = [await sink.open(testContext({})), await sink.open(testContext({}))]
  const zombie = await first.claim('t')
  await zombie.write(batchOf([{ id: 1 }], { offset: 1 }))
  const successor = await second.claim('t')
  expect(successor.position).toEqual({ offset: 1 })
  await expect(zombie.write(batchOf([{ id: 2 }], { offset: 2 }))).rejects.toThrow(FencedError)
  await expect(zombie.write(batchOf([{ id: 3 }], { offset: 3 }))).rejects.toThrow(FencedError)
  await successor.write(batchOf([{ id: 20 }], { offset: 2 }))
  expect(await database.rows('SELECT id FROM zombies ORDER BY id')).toEqual([[1], [20]])
  await Promise.all([first.close(), second.close()])
})

test('two that write at once: whoever claimed last wins, whatever the order', async () => {
  await database.rows('CREATE TABLE race (id int)')
  const sink = postgres(database.url).table('race')
  const [first, second] = [await sink.open(testContext({})), await sink.open(testContext({}))]
  let expected = 0
  for (let round = 0; round < 20; round += 1) {
    const old = await first.claim('t')
    const writes = [old.write(batchOf([{ id: round }], { round }))]
    const successor = await second.claim('t')
    writes.push(successor.write(batchOf([{ id: 1000 + round }], { round: 1000 + round })))
    const [ofOld, ofNew] = await Promise.allSettled(writes)
    expect(ofNew?.status).toBe('fulfilled')
    if (ofOld?.status === 'rejected') expect(ofOld.reason).toBeInstanceOf(FencedError)
    expected += ofOld?.status === 'fulfilled' ? 2 : 1
  }
  expect(await database.rows('SELECT count(*)::int FROM race')).toEqual([[expected]])
  await Promise.all([first.close(), second.close()])
})

test.each<Cut>(['before COMMIT', 'with COMMIT', 'after COMMIT', 'before COMMIT unnoticed'])(
  'a connection cut %s neither loses nor doubles the batch',
  async (cut) => {
    const table = cut.replaceAll(' ', '_')
    await database.rows(`CREATE TABLE "${table}" (id int)`)
    const proxy = await proxied()
    const context = testContext({})
    const open = await postgres(proxy.through(database.url)).table(table).open(context)
    const task = await open.claim('t')
    for (let offset = 1; offset <= 10; offset += 1) {
      proxy.next = cut
      await task.write(batchOf([{ id: offset }], { offset }))
    }
    expect(proxy.cuts).toBeGreaterThanOrEqual(10)
    expect(context.notices.length).toBeGreaterThan(0)
    expect(await database.rows(`SELECT count(*)::int, sum(id)::int FROM "${table}"`)).toEqual([
      [10, 55],
    ])
    expect((await open.claim('t')).position).toEqual({ offset: 10 })
    await open.close()
  },
)

test('a claim while the reply to COMMIT is lost: the old owner learns that it was fenced', async () => {
  await database.rows('CREATE TABLE lost_reply (id int)')
  const proxy = await proxied()
  const open = await postgres(proxy.through(database.url)).table('lost_reply').open(testContext({}))
  const other = await postgres(database.url).table('lost_reply').open(testContext({}))
  const task = await open.claim('t')
  proxy.next = 'with COMMIT'
  const written = task.write(batchOf([{ id: 1 }], { offset: 1 }))
  await expect.poll(() => proxy.cuts).toBe(1)
  const successor = await other.claim('t')
  await expect(written.catch((error: unknown) => error)).resolves.toSatisfy(
    (result) => result === undefined || result instanceof FencedError,
  )
  const rows = await database.rows('SELECT id FROM lost_reply')
  expect(rows).toEqual(successor.position === undefined ? [] : [[1]])
  await Promise.all([open.close(), other.close()])
})

test('an owner frozen inside its transaction is ended, and its rows are taken back', async () => {
  await database.rows('CREATE TABLE frozen (id int PRIMARY KEY)')
  const sink = postgres(database.url).table('frozen')
  let thaw = (): void => {}
  const isFrozen = new Promise<void>((resolve) => (thaw = resolve))
  let entered = (): void => {}
  const hasEntered = new Promise<void>((resolve) => (entered = resolve))
  const context = {
    ...testContext({}),
    deadLetter: () => {
      entered()
      return isFrozen
    },
  }
  const first = await sink.open(context)
  const zombie = await first.claim('t')
  const written = zombie.write(batchOf([{ id: 1 }, { id: 'bad' }], { offset: 1 }))
  written.catch(() => {})
  await hasEntered
  const second = await sink.open(testContext({}))
  const successor = await second.claim('t')
  expect(successor.position).toBeUndefined()
  await successor.write(batchOf([{ id: 1 }], { offset: 1 }))
  thaw()
  await expect(written).rejects.toThrow(FencedError)
  expect(await database.rows('SELECT id FROM frozen')).toEqual([[1]])
  await Promise.all([first.close(), second.close()])
})

test('a claim ends the owner that keeps the fence row locked', async () => {
  await database.rows('CREATE TABLE locked (id int)')
  const sink = postgres(database.url).table('locked')
  const open = await sink.open(testContext({}))
  await open.claim('t')
  const [[owner]] = (await database.rows(
    `SELECT owner FROM millrace_fence WHERE sink = 'postgres locked'`,
  )) as [[string]]
  // What a frozen owner looks like between its last UPDATE and its COMMIT.
  const holder = new pg.Client({ connectionString: database.url })
  const lost = new Promise((resolve) => holder.on('error', resolve))
  await holder.connect()
  await holder.query(
    `BEGIN; SET LOCAL application_name = 'millrace ${owner.split(' ')[1]}';
     UPDATE millrace_fence SET seq = seq + 1 WHERE sink = 'postgres locked'`,
  )
  const context = testContext({})
  const second = await sink.open(context)
  const successor = await second.claim('t')
  expect(context.notices.join()).toContain('previous owner')
  await lost
  await successor.write(batchOf([{ id: 1 }]))
  expect(await database.rows('SELECT id FROM locked')).toEqual([[1]])
  await Promise.all([open.close(), second.close()])
})

test('a position of another log is refused, with the way out, and stays', async () => {
  await database.rows('CREATE TABLE other_log (id int)')
  const sink = postgres(database.url).table('other_log')
  const first = await sink.open(testContext({ logId: 'log-a' }))
  await (await first.claim('t')).write(batchOf([{ id: 1 }], { offset: 1 }))
  const second = await sink.open(testContext({ logId: 'log-b' }))
  await expect(second.claim('t')).rejects.toThrow(UsageError)
  await expect(second.claim('t')).rejects.toThrow(
    /another log.*DELETE FROM "public"."millrace_fence"/s,
  )
  expect((await first.claim('t')).position).toEqual({ offset: 1 })
  await (await first.claim('u')).write(batchOf([{ id: 2 }], { offset: 7 }))
  const refusal = await second.claim('t').then(() => '', String)
  await database.rows(/DELETE FROM .*;/.exec(refusal)?.[0] ?? '')
  for (const task of ['t', 'u']) expect((await second.claim(task)).position).toBeUndefined()
  await Promise.all([first.close(), second.close()])
})

test('tasks write beside each other, each with its own position', async () => {
  await database.rows('CREATE TABLE many (task int, id int)')
  const open = await postgres(database.url).table('many', { connections: 2 }).open(testContext({}))
  const tasks = await Promise.all([0, 1, 2, 3].map((task) => open.claim(`t-${task}`)))
  await Promise.all(
    tasks.flatMap((task, number) =>
      [1, 2, 3].map((id) => task.write(batchOf([{ task: number, id }], { number, id }))),
    ),
  )
  expect(await database.rows('SELECT count(*)::int, sum(id)::int FROM many')).toEqual([[12, 24]])
  const positions = await Promise.all(
    [0, 1, 2, 3].map(async (t) => (await open.claim(`t-${t}`)).position),
  )
  expect(positions).toEqual([0, 1, 2, 3].map((number) => ({ number, id: 3 })))
  const connections = await database.rows(
    `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'millrace'`,
  )
  expect(connections[0]?.[0]).toBeLessThanOrEqual(2)
  await open.close()
})

test('synchronous_commit = off in the database does not make a confirmed batch losable', async () => {
  await database.rows(
    `CREATE TABLE lax (id int); CREATE TABLE seen (setting text);
     ALTER DATABASE postgres SET synchronous_commit = off;
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
       $$BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN new; END$$;
     CREATE TRIGGER g AFTER INSERT ON lax FOR EACH ROW EXECUTE FUNCTION note()`,
  )
  const open = await postgres(database.url).table('lax').open(testContext({}))
  await (await open.claim('t')).write(batchOf([{ id: 1 }]))
  await database.rows('ALTER DATABASE postgres RESET synchronous_commit')
  expect(await database.rows('SELECT setting FROM seen')).toEqual([['on']])
  await open.close()
})
