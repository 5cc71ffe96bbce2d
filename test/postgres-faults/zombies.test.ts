import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import { FaultProxy, type Moment } from './fault-proxy.ts'
import { FaultServer } from './fault-server.ts'
import { exactness, type Run, start, type Way, Workshop } from './loads.ts'

let server: FaultServer
let shop: Workshop
beforeAll(async () => {
  server = await FaultServer.start()
  shop = new Workshop(`${server.directory}/shop`)
})
afterAll(() => server.stop())

async function expectExact(way: Way, table: string, said: string): Promise<void> {
  const { found, expected } = await exactness(server, way, table)
  expect({ said, found }).toEqual({ said, found: expected })
}

interface Frozen {
  readonly way: Way
  readonly moment: Moment
  /** What it had sent arrives at once, or only when it wakes. */
  readonly arrives: 'arrives at once' | 'arrives late'
}

function* frozen(): Generator<Frozen> {
  const moments: Moment[] = [
    'at BEGIN',
    'in COPY',
    'before the fence',
    'before COMMIT',
    'after COMMIT',
  ]
  yield { way: 'load append', moment: 'at the start', arrives: 'arrives at once' }
  for (const [turn, moment] of moments.entries()) {
    for (const arrives of ['arrives at once', 'arrives late'] as const) {
      const isAppend = (turn % 2 === 0) === (arrives === 'arrives late')
      yield isAppend
        ? { way: 'load append', moment, arrives }
        : { way: 'load upsert', moment, arrives }
    }
  }
}

test.concurrent.each([...frozen()])(
  'of two loads of one file one is frozen ($way, $moment; what it sent $arrives) and woken after the other: exact',
  async ({ way, moment, arrives }) => {
    const table = await shop.table(server, way)
    const proxy = await FaultProxy.start(server.port)
    const froze = Promise.withResolvers<void>()
    const wake = Promise.withResolvers<void>()
    proxy.plan(moment, 0, async () => {
      zombie.kill('SIGSTOP')
      froze.resolve()
      if (arrives === 'arrives late') await wake.promise
      return 'go on'
    })
    const zombie = shop.start(way, table, proxy.through(server.url))
    await froze.promise
    const successor = await shop.start(way, table, server.url).ended
    expect(successor).toMatchObject({ code: 0 })
    await expectExact(way, table, successor.said)
    zombie.kill('SIGCONT')
    wake.resolve()
    const { code, said } = await zombie.ended
    await expectExact(way, table, said)
    // Either all was there already, or it hears that somebody took over.
    if (code === 0) expect(said).toMatch(/✓/)
    else expect({ code, said }).toMatchObject({ code: 1 })
    if (code === 1) expectDocumented('another process takes over', said)
    await proxy.stop()
  },
)

test('a load of two lanes, frozen before it has claimed the second and woken after the other, does nothing twice', async () => {
  const rows = 2_400_000
  const numbers = Array.from({ length: rows }, (_, n) => `${n}\n`)
  writeFileSync(join(shop.directory, 'numbers.csv'), `n\n${numbers.join('')}`)
  const table = 'lanes'
  await server.query('CREATE TABLE lanes (n int)')
  const proxy = await FaultProxy.start(server.port)
  const froze = Promise.withResolvers<void>()
  const wake = Promise.withResolvers<void>()
  proxy.plan('at a claim', 1, async () => {
    froze.resolve()
    await wake.promise
    return 'go on'
  })
  const load = (url: string): Run =>
    start(
      shop.directory,
      ['load', 'numbers.csv', '--table', table, '--connections', '2', '--name', table, '--quiet'],
      { DATABASE_URL: url },
    )
  const zombie = load(proxy.through(server.url))
  await froze.promise
  expect(await load(server.url).ended).toMatchObject({ code: 0 })
  wake.resolve()
  const { code, said } = await zombie.ended
  const sums = await server.query(`SELECT count(*)::int, sum(n)::text FROM ${table}`)
  expect({ said, sums }).toEqual({ said, sums: [[rows, String((rows * (rows - 1)) / 2)]] })
  expect({ code, fired: proxy.fired }).toEqual({ code: 1, fired: 1 })
  expectDocumented('another process takes over', said)
  await proxy.stop()
})
