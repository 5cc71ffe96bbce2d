import { json } from '@millrace/core'
import { expect, test } from 'vitest'
import {
  aggregate,
  count,
  filter,
  keyBy,
  map,
  pipeline,
  type Sink,
  type Source,
  sum,
  topic,
  tumbling,
  window,
} from '../index.ts'
import { PipelineTest } from './index.ts'

interface Reading {
  readonly sensor: string
  readonly room: string
  readonly value: number
  readonly time: number
}

const source: Source<Reading> = {
  kind: 'source',
  name: 'sensors',
  bounded: true,
  open: () => Promise.reject(new Error('a test has no sensors')),
}

function sink(name: string, key?: readonly string[]): Sink<unknown> {
  return {
    kind: 'sink',
    name,
    guarantee: 'exactly-once',
    mode: key === undefined ? 'append' : 'upsert',
    ...(key && { key }),
    open: () => Promise.reject(new Error('a test has no database')),
  }
}

const readings = topic('readings', {
  value: json<Reading>(),
  key: 'sensor',
  time: 'time',
  partitions: 3,
})

const reading = (sensor: string, minute: number, value = 1): Reading => {
  return { sensor, room: `room of ${sensor}`, value, time: minute * 60_000 }
}

test('rows of a source pass through a topic and operators into a sink, once, however often it runs', async () => {
  const kit = new PipelineTest(
    pipeline('simple', ({ from }) => {
      from(source).to(readings)
      from(readings)
        .pipe(
          filter(({ value }) => value > 1),
          map(({ sensor, value }) => ({ sensor, value: value * 10 })),
        )
        .to(sink('table'))
    }),
  )
  kit.feed([reading('a', 0, 1), reading('b', 1, 2), reading('c', 2, 3)])
  const first = await kit.flow()
  expect(first?.stages.map(({ rows, state }) => [rows, state])).toEqual([
    [3, 'ended'],
    [3, 'ended'],
  ])
  expect(kit.rows().map(({ value }) => value)).toEqual(expect.arrayContaining([20, 30]))
  await kit.flow()
  expect(kit.rows()).toHaveLength(2)
  kit.feed([reading('d', 3, 4)])
  await kit.flow()
  expect(kit.rows().map(({ value }) => value)).toEqual(expect.arrayContaining([20, 30, 40]))
  expect(await kit.records(readings)).toHaveLength(4)
})

const hourly = pipeline('hourly', ({ from }) => {
  from(readings)
    .pipe(
      window(tumbling('1h', { grace: '10m' })),
      aggregate({ readings: count(), total: sum(({ value }) => value) }),
    )
    .to(sink('hours', ['sensor', 'window_start']))
})

test('state, stream time and the count of late records are still there after a restart', async () => {
  const kit = new PipelineTest(hourly)
  await kit.send(readings, [reading('a', 0), reading('a', 30, 5), reading('a', 75)])
  await kit.flow()
  kit.losePower()
  await kit.send(readings, [reading('a', 10, 100), reading('a', 70)])
  const result = await kit.flow()
  expect(result?.late).toBe(1)
  expect(kit.rows().map((row) => [row['readings'], row['total']])).toEqual([
    [2, 6],
    [2, 2],
  ])
  expect((await kit.flow())?.late).toBe(1)
})

test('partitions have state of their own; a changed key brings records of one key together', async () => {
  const kit = new PipelineTest(
    pipeline('rooms', ({ from }) => {
      from(readings)
        .pipe(keyBy('room'), aggregate({ total: sum(({ value }) => value) }))
        .to(sink('rooms', ['room']))
    }),
  )
  const values = Array.from({ length: 60 }, (_, n) => {
    return { ...reading(`s${n}`, n), room: `room ${n % 4}` }
  })
  await kit.send(readings, values)
  const partitions = new Set((await kit.records(readings)).map(({ partition }) => partition))
  expect(partitions.size).toBe(3)
  await kit.flow()
  expect(kit.rows().map(({ total }) => total)).toEqual([15, 15, 15, 15])
})

test('wherever it is killed, what reaches the sinks is as if nothing had happened', async () => {
  const values = Array.from({ length: 40 }, (_, n) => reading(`s${n % 5}`, n * 7, n))
  const build = pipeline('killed', ({ from }) => {
    from(source).to(readings)
    from(readings).to(sink('raw'))
    from(readings)
      .pipe(
        window(tumbling('1h', { grace: '10m' })),
        aggregate({ total: sum(({ value }) => value) }),
      )
      .to(sink('hours', ['sensor', 'window_start']))
    from(readings)
      .pipe(keyBy('room'), aggregate({ total: sum(({ value }) => value) }))
      .to(sink('rooms', ['room']))
  })
  const outcome = async (seed: number, kills: readonly number[]) => {
    const kit = new PipelineTest(build, { seed })
    for (let from = 0; from < values.length; from += 8) kit.feed(values.slice(from, from + 8))
    let killed = 0
    for (const [life, killAtChange] of kills.entries()) {
      if ((await kit.flow({ killAtChange })) === undefined) killed++
      if (life % 2 === 1) kit.losePower()
    }
    const result = await kit.flow()
    const sorted = (name: string) =>
      kit
        .rows(name)
        .map((row) => JSON.stringify(row))
        .toSorted()
    return { killed, late: result?.late, tables: ['raw', 'hours', 'rooms'].map(sorted) }
  }
  const expected = await outcome(1, [])
  expect(expected.tables.map((rows) => rows.length)).toEqual([40, expect.any(Number), 5])
  let killed = 0
  for (let seed = 1; seed <= 60; seed++) {
    const kills = [1 + (seed % 30), 1 + ((seed * 7) % 23), 1 + ((seed * 13) % 19)]
    const { tables, late, ...life } = await outcome(seed, kills)
    expect({ tables, late }, `seed ${seed}`).toEqual({
      tables: expected.tables,
      late: expected.late,
    })
    killed += life.killed
  }
  expect(killed).toBeGreaterThan(100)
}, 120_000)
