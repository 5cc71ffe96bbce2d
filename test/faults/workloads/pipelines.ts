import { type Log, open } from '@millrace/core'
import { readValues } from '@millrace/core/testing'
import {
  aggregate,
  count,
  generate,
  json,
  keyBy,
  type Pipeline,
  pipeline,
  run,
  sum,
  topic,
  tumbling,
  window,
} from 'millrace'
import { expectThat } from '../expect-that.ts'
import type { Workload } from '../workload.ts'

interface Sack {
  readonly mill: string
  readonly kilos: number
  readonly at: number
}

const COUNT = 240
const MILLS = 3

const sack = (n: number): Sack => ({ mill: `mill-${n % MILLS}`, kilos: n, at: n * 1000 })

const sacks = topic('sacks', {
  value: json<Sack>(),
  key: 'mill',
  time: 'at',
  partitions: 2,
  config: { segmentBytes: 4096 },
})

interface Total {
  readonly sacks: number
  readonly kilos: number
}

const totals = topic('totals', { value: json<Total>(), key: json<{ mill: string }>() })

/** Each sack makes one total, so that a sack that counts twice, or not at all, shows in the numbers. */
const totalling = pipeline('totalling', ({ from }) => {
  from(generate({ count: COUNT, record: sack })).to(sacks)
  from(sacks)
    .pipe(aggregate({ sacks: count(), kilos: sum(({ kilos }) => kilos) }))
    .to(totals)
})

const windowed = pipeline('windowed', ({ from }) => {
  from(generate({ count: COUNT, record: sack })).to(sacks)
  from(sacks)
    .pipe(
      keyBy({ mill: ({ mill }) => mill }),
      window(tumbling('1m'), { emit: 'final' }),
      aggregate({ sacks: count(), kilos: sum(({ kilos }) => kilos) }),
    )
    .to(totals)
})

async function readTotals(log: Log): Promise<Total[]> {
  const values = await readValues(log, 'totals', 0, 'read_committed')
  return values.map((value) => JSON.parse(value) as Total)
}

function sumOf(rows: readonly Total[], part: keyof Total): number {
  return rows.reduce((total, row) => total + row[part], 0)
}

const ALL_KILOS = ((COUNT - 1) * COUNT) / 2

function running(name: string, made: Pipeline, check: (rows: Total[]) => void): Workload {
  return {
    name,
    prepare: ({ directory, ports }) => open(directory, { ports }),
    async struck({ log }, witness) {
      if (log === undefined) return undefined
      await witness.step('run', async () => {
        await run(made, { log, final: true })
      })
      return log
    },
    async verify(log) {
      await run(made, { log, final: true })
      check(await readTotals(log))
    },
  }
}

export const workloads: readonly Workload[] = [
  running('pipeline with a changelog', totalling, (rows) => {
    expectThat(rows.length === COUNT, `${rows.length} totals, not ${COUNT}`)
    const each = COUNT / MILLS
    const counts = (each * (each + 1)) / 2
    expectThat(sumOf(rows, 'sacks') === counts * MILLS, 'a sack was counted twice or not at all')
  }),
  running('pipeline with windows and a repartition', windowed, (rows) => {
    expectThat(sumOf(rows, 'sacks') === COUNT, `${sumOf(rows, 'sacks')} sacks, not ${COUNT}`)
    expectThat(sumOf(rows, 'kilos') === ALL_KILOS, `${sumOf(rows, 'kilos')} kilos`)
  }),
]
