import { join } from 'node:path'
import { json, open, pipeline, postgres, Producer, type Raw, run, topic } from 'millrace'
import { withDatabase } from './database.ts'
import { percentile } from './paired.ts'
import type { Row } from './report.ts'
import { inScratch } from './scratch.ts'

const ratePerSecond = 10_000
const seconds = 10
const sliceMs = 5

/**
 * At a steady 10,000 records a second: from `send` to the row visible in Postgres. The sending time
 * is in the row; the transaction's end is taken from the server (`track_commit_timestamp`).
 */
export async function measure(): Promise<Row[]> {
  const latenciesMs = await inScratch(async (directory) =>
    withDatabase(
      directory,
      async (database) => {
        await database.sql('CREATE TABLE events (id bigint, sent_ms float8)')
        const log = await open(join(directory, 'log'))
        const events = topic('events', {
          value: json<{ id: number; sent_ms: number }>(),
          partitions: 4,
        })
        await log.createTopic({ name: 'events', partitions: 4 })
        const stop = new AbortController()
        const follow = pipeline('latency', ({ from }) => {
          from(events).to(postgres.table('events', { url: database.url }))
        })
        const running = run(follow, { log, follow: true, signal: stop.signal })
        const producer = new Producer(log, { value: json<{ id: number; sent_ms: number }>() })
        await sendSteadily(producer)
        await producer.close()
        await new Promise((resolve) => void setTimeout(resolve, 1000))
        stop.abort()
        await running
        await log.close()
        // The first second warms up.
        const rows = await database.sql(
          `SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - sent_ms AS ms
           FROM events WHERE id >= ${ratePerSecond}`,
        )
        if (rows.length !== ratePerSecond * (seconds - 1))
          throw new Error(`${rows.length} rows arrived`)
        return rows.map((row) => Number(row['ms']))
      },
      { track_commit_timestamp: 'on' },
    ),
  )
  const [p50, p99] = [percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)]
  return [
    {
      what: 'at 10 k records/s, `send` → row visible in Postgres, exactly once, p50 / p99',
      got: `${p50.toFixed(0)} / ${p99.toFixed(0)} ms`,
      spread: `${Math.min(...latenciesMs).toFixed(0)}–${percentile(latenciesMs, 1).toFixed(0)} ms, ${seconds} s`,
      floor: '100 / 400 ms',
      aim: '40 / 150 ms',
      value: p99,
      holds: p50 <= 100 && p99 <= 400,
    },
  ]
}

async function sendSteadily(producer: Producer<Raw, { id: number; sent_ms: number }>) {
  const startMs = performance.now()
  let id = 0
  while (id < ratePerSecond * seconds) {
    const due = Math.floor(((performance.now() - startMs) / 1000) * ratePerSecond)
    for (; id < Math.min(due, ratePerSecond * seconds); id++) {
      const value = { id, sent_ms: performance.timeOrigin + performance.now() }
      void producer.send({ topic: 'events', key: `${id % 1000}`, value })
    }
    await new Promise((resolve) => void setTimeout(resolve, sliceMs))
  }
}
