import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectDocumented } from './documented.ts'
import { type Fate, FaultProxy, type Moment } from './fault-proxy.ts'
import { FaultServer } from './fault-server.ts'
import { exactness, type Way, ways, Workshop } from './loads.ts'

let server: FaultServer
let proxy: FaultProxy
let shop: Workshop
beforeAll(async () => {
  server = await FaultServer.start()
  proxy = await FaultProxy.start(server.port)
  shop = new Workshop(`${server.directory}/shop`)
  await server.query(`CREATE ROLE mill LOGIN SUPERUSER PASSWORD 'flour'`)
})
afterAll(async () => {
  await proxy.stop()
  await server.stop()
})

const moments: readonly Moment[] = ['at BEGIN', 'in COPY', 'before COMMIT', 'after COMMIT']
const awayMs = 1_500

/** What happens to a run in the middle; some come undone by themselves a while later. */
const faults: Readonly<Record<string, () => Promise<Fate>>> = {
  'the connection is cut': async () => 'cut',
  'the server is restarted': async () => {
    await server.restart()
    return 'go on'
  },
  'the server is killed': async () => {
    await server.killAndStart(300)
    return 'go on'
  },
  'its server process is killed': async () => {
    await server.killBackend()
    return 'go on'
  },
  'an administrator ends the session': async () => {
    await server.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'mill'`,
    )
    return 'go on'
  },
  'the server is read-only for a while': async () => {
    await readOnly(true)
    void sleep(awayMs).then(() => readOnly(false))
    return 'cut'
  },
  'all connections are taken for a while': async () => {
    await server.query('ALTER ROLE mill NOSUPERUSER CONNECTION LIMIT 0')
    void sleep(awayMs).then(() => server.query('ALTER ROLE mill SUPERUSER CONNECTION LIMIT -1'))
    return 'cut'
  },
}

async function readOnly(isOn: boolean): Promise<void> {
  await server.query(`ALTER SYSTEM SET default_transaction_read_only = ${isOn ? 'on' : 'off'}`)
  await server.query('SELECT pg_reload_conf()')
}

/** Each fault in a few of its forms; with MILLRACE_FAULTS=all, at each moment of each way. */
function* plans(): Generator<readonly [string, Moment, Way, number]> {
  const isAll = process.env['MILLRACE_FAULTS'] === 'all'
  for (const [number, fault] of Object.keys(faults).entries()) {
    for (const [place, moment] of moments.entries()) {
      const isChosen =
        moment === 'in COPY' || number === 0 || (number < 3 && moment === 'after COMMIT')
      for (const [index, way] of ways.entries()) {
        // A load of this size is one transaction, a run several.
        const skip = way.startsWith('load') ? 0 : 1
        if (isAll || (isChosen && index === (number + place) % ways.length)) {
          yield [fault, moment, way, skip]
        }
      }
    }
  }
}

test.each([...plans()])(
  '%s %s during a %s: the table is exact',
  async (fault, moment, way, skip) => {
    const table = await shop.table(server, way)
    const act = faults[fault] ?? (() => Promise.reject(new Error(fault)))
    proxy.reset()
    proxy.plan(moment, skip, act)
    const { code, said } = await shop.start(
      way,
      table,
      proxy.through(server.urlOf('mill', 'flour')),
    ).ended
    const { found, expected } = await exactness(server, way, table)
    expect({ said, found }).toEqual({ said, found: expected })
    expect({ code, fired: proxy.fired }).toEqual({ code: 0, fired: 1 })
    expectDocumented(fault, said)
    shop.tidy(table)
  },
)
