import { chown, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mkdtemp } from 'node:fs/promises'
import { type Log, open, run } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultServer, mayMountTmpfs, mountTmpfs } from '../postgres-faults/fault-server.ts'
import { type Mode, lettersOf, sendRows, tablePipeline } from './workshop.ts'

let server: FaultServer
let directory: string
let log: Log
beforeAll(async () => {
  server = await FaultServer.start({ fsync: 'off', deadlock_timeout: '200ms' })
  directory = await mkdtemp(join(tmpdir(), 'millrace-outages-'))
  log = await open(join(directory, 'log'))
})
afterAll(async () => {
  await log.close()
  await server.stop()
  await rm(directory, { recursive: true })
})

const ROWS = 2_000
/** The row at which the outage happens; a bad one before it, so that nobody comes here but the search, and others behind it. */
const AT = 500
const isBad = (id: number): boolean => (id > AT ? id % 100 === 7 : id === 400)

/** What goes wrong in the middle of a search, as SQL inside a trigger and by a bystander. */
interface Outage {
  readonly name: string
  readonly sql: string
  /** Before the run. */
  readonly prepare?: () => Promise<void>
  /** While the trigger waits. */
  readonly meanwhile?: () => Promise<void>
  /** Once the run has said that it tries again. */
  readonly mend?: () => Promise<void>
  readonly said: RegExp
}

const role = (settings: string): Promise<unknown> => server.query(`ALTER ROLE ALL ${settings}`)
let bystander: Awaited<ReturnType<FaultServer['session']>> | undefined
const stepAside = async (): Promise<void> => {
  await bystander?.end()
  bystander = undefined
  await role('RESET ALL')
}

const outages: readonly Outage[] = [
  {
    name: 'the connection is killed',
    sql: 'PERFORM pg_terminate_backend(pg_backend_pid())',
    said: /57P01/,
  },
  {
    name: 'the statement is cancelled',
    sql: 'PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(1)',
    said: /57014/,
  },
  {
    name: 'the server is restarted',
    sql: 'PERFORM pg_sleep(20)',
    meanwhile: () => server.restart(),
    said: /57P01|57P03|ECONN|terminat/,
  },
  {
    name: 'the server crashes',
    // The killed server's child must end before another can start.
    sql: 'PERFORM pg_sleep(2)',
    meanwhile: () => server.killAndStart(200),
    said: /57P0|ECONN|terminat/,
  },
  {
    name: 'somebody else holds a lock',
    sql: 'PERFORM pg_advisory_xact_lock(1)',
    prepare: async () => {
      await role("SET lock_timeout = '200ms'")
      bystander = await server.session()
      await bystander.query('SELECT pg_advisory_lock(1)')
    },
    mend: stepAside,
    said: /55P03/,
  },
  {
    name: 'there is a deadlock',
    sql: 'PERFORM pg_advisory_xact_lock(3); PERFORM pg_sleep(0.5); PERFORM pg_advisory_xact_lock(2)',
    prepare: async () => {
      bystander = await server.session()
      await bystander.query("SET deadlock_timeout = '1h'; SELECT pg_advisory_lock(2)")
    },
    meanwhile: async () => {
      await bystander?.query('SELECT pg_advisory_lock(3)')
      await stepAside()
    },
    said: /40P01/,
  },
  {
    name: 'a transaction can not be serialised',
    sql: "RAISE 'later' USING ERRCODE = '40001'",
    said: /40001/,
  },
  { name: 'memory runs out', sql: "RAISE 'later' USING ERRCODE = '53200'", said: /53200/ },
]

let tables = 0
const mayMount = await mayMountTmpfs()

describe.each(['append', 'upsert'] as const)('%s: while bad rows are searched,', (mode) => {
  test.for(outages)("$name: that is no row's fault", async (outage) => {
    await outage.prepare?.()
    await expectExact(mode, outage, `t${(tables += 1)}`)
  })

  const why = mayMount ? '' : ' (skipped: no right to mount a small file system)'
  test.skipIf(!mayMount)(`the disk is full: that is no row's fault${why}`, async () => {
    const name = `t${(tables += 1)}`
    const disk = join(server.directory, name)
    await mkdir(disk)
    const unmount = mountTmpfs(disk, 16)
    const space = join(disk, 'space')
    const filler = join(disk, 'filler')
    await mkdir(space)
    const [[data] = []] = await server.query('SHOW data_directory')
    const { uid, gid } = await stat(String(data))
    await chown(space, uid, gid)
    await server.query(`CREATE TABLESPACE ${name} LOCATION '${space}'`)
    try {
      const fill = (): Promise<void> => writeFile(filler, Buffer.alloc(16_000_000)).catch(() => {})
      const mend = (): Promise<void> => rm(filler)
      const outage = { name, sql: 'PERFORM pg_sleep(1)', meanwhile: fill, mend, said: /53100/ }
      await expectExact(mode, outage, name, `TABLESPACE ${name}`)
    } finally {
      await server.query(`DROP TABLE IF EXISTS ${name}`)
      await server.query(`DROP TABLESPACE ${name}`)
      unmount?.()
    }
  })
})

/** Runs a pipeline over bad rows through the outage: all that is dead-lettered are the bad rows. */
async function expectExact(mode: Mode, outage: Outage, name: string, options = ''): Promise<void> {
  await server.query(
    `CREATE TABLE ${name} (id int PRIMARY KEY, v int CHECK (v < 100), filler text DEFAULT repeat('x', 500)) ${options};
     CREATE SEQUENCE ${name}_passes;
     CREATE FUNCTION ${name}_fail() RETURNS trigger LANGUAGE plpgsql AS
       $$BEGIN IF nextval('${name}_passes') = 1 THEN ${outage.sql}; END IF; RETURN new; END$$;
     CREATE TRIGGER fail BEFORE INSERT ON ${name} FOR EACH ROW WHEN (new.id = ${AT}) EXECUTE FUNCTION ${name}_fail()`,
  )
  await sendRows(log, name, ROWS, (id) => `{"id":${id},"v":${isBad(id) ? 100 : 1}}`)
  const notices: string[] = []
  let isMended = false
  const onNotice = (notice: string): void => {
    notices.push(notice)
    if (isMended || !outage.said.test(notice)) return
    isMended = true
    void outage.mend?.()
  }
  const running = run(tablePipeline(name, mode, server.url), {
    log,
    onError: 'dead-letter',
    onNotice,
  })
  const disturbing = disturb(name, outage)
  const { deadLetters } = await running
  await disturbing
  expect(notices.join('\n')).toMatch(outage.said)

  const ids = Array.from({ length: ROWS }, (_, id) => id)
  const letters = await lettersOf(log, name)
  expect([...letters.keys()].toSorted((a, b) => a - b)).toEqual(ids.filter(isBad))
  expect(new Set([...letters.values()].map(({ headers }) => headers['millrace.code']))).toEqual(
    new Set(['23514']),
  )
  expect(deadLetters).toBe(letters.size)
  const good = ids.filter((id) => !isBad(id))
  expect(await server.query(`SELECT count(*)::int, sum(id)::int FROM ${name}`)).toEqual([
    [good.length, good.reduce((sum, id) => sum + id, 0)],
  ])
}

/** Waits until the trigger is where it waits, and acts. */
async function disturb(name: string, { meanwhile }: Outage): Promise<void> {
  if (meanwhile === undefined) return
  for (;;) {
    const [[isReached] = []] = await server.query(`SELECT is_called FROM ${name}_passes`)
    if (isReached === true) break
    await sleep(20)
  }
  await meanwhile()
}
