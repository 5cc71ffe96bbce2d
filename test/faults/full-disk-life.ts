// One scenario on a small disk that fills up; ends with 0 when every promise came true.
import { open as openFile, rm, statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, MillraceError, open, UnavailableError, verifyLog } from '@millrace/core'
import { type Clock, nodeClock, nodePorts } from '@millrace/core/io'
import { append, batchOf, readValues } from '@millrace/core/testing'
import { expectThat } from './expect-that.ts'
import { totalsArriveOnFullDisk } from './full-disk-pipeline.ts'
import { range } from './ranges.ts'

const [scenario = '', root = ''] = process.argv.slice(2)
const directory = `${root}/log`
const ballast = `${root}/ballast`

/** The real clock, whose rounds of retention come ten times a second. */
const hurriedClock: Clock = {
  ...nodeClock,
  schedule: (delayMs, callback, urgency) =>
    nodeClock.schedule(delayMs > 10_000 ? 100 : delayMs, callback, urgency),
}

const openLog = () => open(directory, { ports: { ...nodePorts, clock: hurriedClock } })

/** Fills the disk up to the last page, or leaves so many bytes. */
async function leave(bytes: number): Promise<void> {
  await rm(ballast, { force: true })
  const file = await openFile(ballast, 'w')
  const page = Buffer.alloc(4096)
  let size = 0
  try {
    for (;;) size += (await file.write(page, 0, page.length, size)).bytesWritten
  } catch {
    await file.truncate(Math.max(0, size - bytes))
  } finally {
    await file.close()
  }
}

const makeRoom = () => rm(ballast)

/** Throws unless the call is refused in the way that a full disk is to be told. */
async function expectFull(call: () => Promise<unknown>): Promise<void> {
  const error = await call().then(
    () => undefined,
    (refusal: unknown) => refusal,
  )
  expectThat(error instanceof UnavailableError, `it was not refused: ${String(error)}`)
  expectThat(error.code === 'DISK_FULL', `${error.code}: ${error.message}`)
  const isHelpful = error.message.includes(directory) && error.message.includes('Free some space')
  expectThat(isHelpful, error.message)
}

/** A record of about so many bytes. */
const record = (n: number, bytes = 60_000) => `${n} `.padEnd(bytes, '.')

const numbersOf = (values: readonly string[]) => values.map((value) => Number.parseInt(value, 10))

/** Appends until the disk is full; resolves with the numbers of the records that were taken. */
async function fill(log: Log, bytes: number): Promise<number[]> {
  const taken: number[] = []
  for (let n = 0; ; n++) {
    try {
      await append(log, 't', 0, [record(n, bytes)])
      taken.push(n)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'DISK_FULL') return taken
      throw error
    }
  }
}

async function expectHolds(log: Log, numbers: readonly number[]): Promise<void> {
  const found = numbersOf(await readValues(log, 't', 0, 'read_committed'))
  expectThat(found.join() === numbers.join(), `it holds ${found.join()}, not ${numbers.join()}`)
}

/** Closes, looks at every byte, and opens again. */
async function expectSound(log: Log, numbers: readonly number[]): Promise<void> {
  await log.close()
  const { faults } = await verifyLog(directory)
  expectThat(faults.length === 0, JSON.stringify(faults))
  const again = await openLog()
  await expectHolds(again, numbers)
  await again.close()
}

const scenarios: Record<string, () => Promise<void>> = {
  async append() {
    const log = await openLog()
    await log.createTopic({ name: 't' })
    await log.createTopic({ name: 'other' })
    await leave(1024 * 1024)
    const taken = await fill(log, 60_000)
    await expectFull(() => append(log, 't', 0, [record(-1)]))
    await expectFull(() => append(log, 'other', 0, [record(-1)]))
    await expectHolds(log, taken)
    await makeRoom()
    await append(log, 't', 0, [record(1000)])
    await append(log, 'other', 0, [record(1001)])
    await expectSound(log, [...taken, 1000])
  },

  async roll() {
    const log = await openLog()
    await log.createTopic({ name: 't', config: { segmentBytes: 100_000 } })
    await append(log, 't', 0, [record(0)])
    await leave(0)
    await expectFull(() => append(log, 't', 0, [record(-1)]))
    await expectFull(() => append(log, 't', 0, [record(-1)]))
    await expectHolds(log, [0])
    await makeRoom()
    for (const n of [1, 2]) await append(log, 't', 0, [record(n)])
    await expectSound(log, [0, 1, 2])
  },

  async retention() {
    const log = await openLog()
    const config = { segmentBytes: 200_000, retentionMs: 1500 }
    await log.createTopic({ name: 't', config })
    await leave(2 * 1024 * 1024)
    const taken = await fill(log, 60_000)
    await leave(0)
    // Nothing is freed by hand: all of it expires, the segment that is being written included.
    const waiting = async (): Promise<void> => {
      for (;;) {
        const [partition] = (await log.describeTopic('t')).partitions
        if (partition?.startOffset === taken.length) return
        await sleep(50)
      }
    }
    await waiting()
    await append(log, 't', 0, [record(1000)])
    await append(log, 't', 0, [record(1001)])
    await log.close()
  },

  async transaction() {
    const log = await openLog()
    const { topicId } = await log.createTopic({ name: 't' })
    await append(log, 't', 0, [record(0)])
    const producer = await log.initProducer({ transactionalId: 'mill' })
    const inside = { ...producer, baseSequence: 0, isTransactional: true }
    await log.append({ topic: 't', partition: 0, batch: batchOf([record(1)], inside) })
    await leave(0)
    // The journal's last page takes a few more commits; this one needs more than a page.
    const metadata = 'm'.repeat(4000)
    const position = { offset: 1, leaderEpoch: -1 }
    const stored = { topic: 't', partition: 0, topicId, position, metadata }
    const positions = [0, 1].map((n) => ({ group: `g${n}`, positions: [stored] }))
    const commit = () => log.endTransaction({ ...producer, outcome: 'commit', positions })
    await expectFull(commit)
    await expectHolds(log, [0])
    expectThat((await log.readPositions('g0')).length === 0, 'a position was stored')
    await makeRoom()
    const next = await commit()
    await expectHolds(log, [0, 1])
    expectThat((await log.readPositions('g1')).length === 1, 'no position was stored')
    const again = { ...next, baseSequence: 0, isTransactional: true }
    await log.append({ topic: 't', partition: 0, batch: batchOf([record(2)], again) })
    await log.endTransaction({ ...next, outcome: 'commit' })
    await expectSound(log, [0, 1, 2])
  },

  async topics() {
    const log = await openLog()
    await log.createTopic({ name: 't' })
    await log.createTopic({ name: 'large' })
    for (const n of range(20)) await append(log, 'large', 0, [record(n)])
    await append(log, 't', 0, [record(0)])
    await leave(0)
    await expectFull(() => log.createTopic({ name: 'new' }))
    await expectFull(() => log.alterTopic('t', { retentionMs: 1000 }))
    await expectFull(() => log.addPartitions('t', 2))
    const { partitions, config } = await log.describeTopic('t')
    expectThat(partitions.length === 1 && config.retentionMs === -1, 'half of a change is there')
    await leave(16 * 4096)
    await log.deleteTopic('large')
    while ((await statfs(root)).bavail < 200) await sleep(20)
    await append(log, 't', 0, [record(1)])
    await log.createTopic({ name: 'new' })
    await expectSound(log, [0, 1])
  },

  async opening() {
    const log = await openLog()
    await log.createTopic({ name: 't' })
    await append(log, 't', 0, [record(0)])
    await log.close()
    await leave(0)
    await expectFull(openLog)
    const reader = await open(directory, { access: 'read-only' })
    await expectHolds(reader, [0])
    await reader.close()
    await makeRoom()
    const again = await openLog()
    await append(again, 't', 0, [record(1)])
    await expectSound(again, [0, 1])
  },

  async changelog() {
    const log = await openLog()
    await totalsArriveOnFullDisk(log, { fill: () => leave(0), makeRoom })
    await log.close()
  },
}

await scenarios[scenario]?.()
