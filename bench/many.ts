import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Consumer, open, Producer } from '@millrace/core'
import { percentile } from './paired.ts'
import type { Row } from './report.ts'
import { inScratch } from './scratch.ts'

const partitionCount = 1000
const ratePerPartition = 10
const seconds = 20
const sliceMs = 5
const warmUpMs = 3000

/** 1,000 partitions, each with 10 records a second: how long acknowledgements and readers take. */
export async function measure(): Promise<Row[]> {
  const { acknowledgedMs, readMs } = await inScratch(sendSteadily)
  return [
    row('1,000 partitions × 10 records/s, fsync: acknowledged', acknowledgedMs),
    row('1,000 partitions × 10 records/s: `send` → a reader of all of them', readMs),
    ...(await inScratch((directory) => openings(join(directory, 'log')))),
  ]
}

/** How long a log of 100 topics × 100 partitions takes to open, after a close and after a kill −9. */
async function openings(directory: string): Promise<Row[]> {
  await open10k(directory, 'close')
  const afterClose = await open10k(directory, 'look')
  await open10k(directory, 'kill')
  const afterKill = await open10k(directory, 'look')
  return [
    openingRow('a log of 100 × 100 partitions opens', afterClose, 3),
    openingRow('the same after a kill −9 while all were written to', afterKill, 10),
  ]
}

async function open10k(directory: string, how: 'close' | 'kill' | 'look'): Promise<number> {
  const child = join(import.meta.dirname, 'many-child.ts')
  const run = spawn(process.execPath, [child, directory, how], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  run.stdout.on('data', (text) => (said += String(text)))
  await once(run, 'close')
  if (said === '') throw new Error('the log of 10,000 partitions was not opened')
  return Number(said) / 1000
}

function openingRow(what: string, seconds: number, atMost: number): Row {
  return {
    what,
    got: `${seconds.toFixed(1)} s`,
    spread: '1 run',
    floor: `${atMost} s`,
    aim: '',
    holds: seconds <= atMost,
  }
}

function row(what: string, latenciesMs: readonly number[]): Row {
  const [p50, p99] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)]
  return {
    what: `${what}, p50 / p99`,
    got: `${p50.toFixed(0)} / ${p99.toFixed(0)} ms`,
    spread: `${percentile(latenciesMs, 0).toFixed(0)}–${percentile(latenciesMs, 1).toFixed(0)} ms, ${seconds} s`,
    floor: 'p99 500 ms',
    aim: 'p99 100 ms',
    holds: p99 <= 500,
  }
}

/** What each record took, in milliseconds, after the first seconds. */
interface Latencies {
  readonly acknowledgedMs: number[]
  readonly readMs: number[]
}

async function sendSteadily(directory: string): Promise<Latencies> {
  const log = await open(join(directory, 'log'))
  await log.createTopic({ name: 'bench-topic', partitions: partitionCount })
  const latencies: Latencies = { acknowledgedMs: [], readMs: [] }
  const sendTotal = partitionCount * ratePerPartition * seconds
  const consumer = new Consumer(log, { topics: ['bench-topic'], isolation: 'read_committed' })
  const reading = readAll(consumer, sendTotal, latencies.readMs)
  const producer = new Producer(log)
  const sends: Promise<unknown>[] = []
  const startMs = performance.now()
  for (let sent = 0; sent < sendTotal;) {
    const due = Math.floor(
      ((performance.now() - startMs) / 1000) * partitionCount * ratePerPartition,
    )
    for (; sent < Math.min(due, sendTotal); sent++) {
      const value = Buffer.alloc(100)
      const sentMs = performance.now()
      value.writeDoubleLE(sentMs - startMs)
      const delivery = producer.send({
        topic: 'bench-topic',
        partition: sent % partitionCount,
        value,
      })
      if (sentMs - startMs < warmUpMs) continue
      sends.push(delivery.then(() => latencies.acknowledgedMs.push(performance.now() - sentMs)))
    }
    await new Promise((resolve) => void setTimeout(resolve, sliceMs))
  }

  async function readAll(from: Consumer, count: number, into: number[]): Promise<void> {
    let read = 0
    for await (const batch of from) {
      for (const { value } of batch.records()) {
        read++
        const sentMs = Buffer.from(value ?? []).readDoubleLE()
        if (sentMs >= warmUpMs) into.push(performance.now() - startMs - sentMs)
      }
      if (read >= count) return
    }
  }
  await Promise.all(sends)
  await reading
  await consumer.close()
  await producer.close()
  await log.close()
  return latencies
}
