import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@millrace/core'
import { readValues } from '@millrace/core/testing'
import { aggregate, count, generate, json, pipeline, run, sum, topic } from 'millrace'
import { expectThat } from './expect-that.ts'

interface Sack {
  readonly mill: string
  readonly kilos: number
}

interface Total {
  readonly sacks: number
  readonly kilos: number
}

const COUNT = 4000
const MILLS = 4
const RATE = 2000

const sacks = topic('sacks', { value: json<Sack>(), key: 'mill', partitions: 2 })
const totals = topic('totals', { value: json<Total>(), key: json<{ mill: string }>() })

const totalling = pipeline('totalling', ({ from }) => {
  const record = (n: number): Sack => ({ mill: `mill-${n % MILLS}`, kilos: n })
  from(generate({ count: COUNT, rate: RATE, record })).to(sacks)
  from(sacks)
    .pipe(aggregate({ sacks: count(), kilos: sum(({ kilos }) => kilos) }))
    .to(totals)
})

/** Runs a pipeline with state, fills the disk under it, and makes room once it has said that it waits. */
export async function totalsArriveOnFullDisk(
  log: Log,
  disk: { readonly fill: () => Promise<void>; readonly makeRoom: () => Promise<void> },
): Promise<void> {
  const notices: string[] = []
  const running = run(totalling, { log, onNotice: (notice) => notices.push(notice) })
  await sleep(500)
  await disk.fill()
  const hasSaid = () => notices.some((notice) => notice.includes('is full'))
  while (!hasSaid()) await Promise.race([sleep(20), running])
  expectThat((await readTotals(log)).length > 0, 'reading stopped')
  await sleep(300)
  await disk.makeRoom()
  await running
  const rows = await readTotals(log)
  // Each sack makes one total, so that one that counts twice, or not at all, shows.
  expectThat(rows.length === COUNT, `${rows.length} totals, not ${COUNT}`)
  const each = COUNT / MILLS
  const sum0 = rows.reduce((all, row) => all + row.sacks, 0)
  expectThat(sum0 === (MILLS * each * (each + 1)) / 2, 'a sack was counted twice, or not at all')
}

async function readTotals(log: Log): Promise<Total[]> {
  const values = await readValues(log, 'totals', 0, 'read_committed')
  return values.map((value) => JSON.parse(value) as Total)
}
