import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { json, open } from '@millrace/core'
import { describe, expect, test } from 'vitest'
import {
  aggregate,
  count,
  filter,
  keyBy,
  map,
  mapAsync,
  pipeline,
  run,
  type Sink,
  type Source,
  sum,
  topic,
  tumbling,
  window,
} from '../index.ts'
import { KeptSink, PipelineTest } from '../testing/index.ts'

interface Sale {
  readonly shop: string
  readonly amount: number
  readonly time: number
}

const till: Source<Sale> = {
  kind: 'source',
  name: 'till',
  bounded: true,
  open: () => Promise.reject(new Error('a test has no till')),
}

function table(name: string, options: Partial<Sink<unknown>> = {}): Sink<unknown> {
  return {
    kind: 'sink',
    name,
    guarantee: 'exactly-once',
    mode: options.key === undefined ? 'append' : 'upsert',
    open: () => Promise.reject(new Error('a test has no database')),
    ...options,
  }
}

const sales = topic('sales', { value: json<Sale>(), key: 'shop', time: 'time', partitions: 2 })
const deadLetters = topic('p-dead-letters', { value: json<Sale>() })

const sale = (shop: string, minute: number, amount = 1): Sale => {
  return { shop, amount, time: minute * 60_000 }
}

describe('a record that fails', () => {
  const bad = (amount: number): number => {
    if (amount < 0) throw new Error(`an amount of ${amount}`)
    return amount * 2
  }
  const doubling = pipeline('p', ({ from }) => {
    from(till).to(sales)
    from(sales)
      .pipe(map(({ amount }) => ({ amount: bad(amount) }), { name: 'double' }))
      .to(table('doubles'))
  })

  test('ends the run, which names operator, record and cause; the next run meets it again', async () => {
    const kit = new PipelineTest(doubling)
    kit.feed([sale('a', 0, 1), sale('a', 1, -5), sale('a', 2, 3)])
    await expect(kit.flow()).rejects.toThrow(/double: the record sales\[\d]@1 .* an amount of -5/)
    await expect(kit.flow()).rejects.toMatchObject({ code: 'CALLBACK_FAILED' })
  })

  test('is passed over and counted under the policy skip', async () => {
    const kit = new PipelineTest(doubling)
    kit.feed([sale('a', 0, 1), sale('a', 1, -5), sale('a', 2, 3)])
    expect(await kit.flow({ onError: 'skip' })).toMatchObject({ skipped: 1, deadLetters: 0 })
    expect(kit.rows().map(({ amount }) => amount)).toEqual([2, 6])
  })

  test('is kept as it was under the policy dead-letter, once, however often it is met', async () => {
    const kit = new PipelineTest(doubling)
    kit.feed([sale('a', 0, 1), sale('a', 1, -5), sale('a', 2, 3)])
    expect(await kit.flow({ onError: 'dead-letter' })).toMatchObject({ skipped: 1, deadLetters: 1 })
    const letters = await kit.records(deadLetters)
    expect(letters.map(({ value }) => value)).toEqual([sale('a', 1, -5)])
    expect(letters[0]?.headers).toMatchObject({
      'millrace.at': 'double',
      'millrace.code': 'CALLBACK_FAILED',
      'millrace.cause': 'an amount of -5.',
      'millrace.topic': 'sales',
      'millrace.offset': '1',
    })
  })

  test('may be a row that does not fit its topic', async () => {
    const kit = new PipelineTest(doubling)
    kit.feed([sale('a', 0), { shop: 'a', amount: 7, time: 'yesterday' }])
    await expect(kit.flow()).rejects.toThrow(/row 2 of till cannot be written.*yesterday/)
    await kit.flow({ onError: 'dead-letter' })
    expect(kit.rows()).toHaveLength(1)
    expect((await kit.records(deadLetters)).map(({ value }) => value)).toEqual([
      { shop: 'a', amount: 7, time: 'yesterday' },
    ])
  })

  test('may be larger than its topic takes; those beside it are not', async () => {
    const kit = new PipelineTest(
      pipeline('p', ({ from }) => {
        from(till).to(sales)
        from(sales).to(table('all'))
      }),
    )
    const shops = [400, 450_000, 300_000, 1_200_000, 500].map((size) => 'é'.repeat(size / 2))
    kit.feed(shops.map((shop) => sale(shop, 0)))
    await expect(kit.flow()).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
    expect(await kit.flow({ onError: 'skip' })).toMatchObject({ skipped: 1 })
    expect(kit.rows()).toHaveLength(4)
  })

  test('may be bytes that are no value of the topic', async () => {
    const kit = new PipelineTest(doubling)
    const text = topic('sales', { value: json<unknown>(), partitions: 2 })
    await kit.send(sales, [sale('a', 0)])
    await kit.send({ ...text, value: { ...text.value, encode: () => '{"amount":' } }, [1])
    await expect(kit.flow()).rejects.toThrow(
      /sales \(json\): the record sales\[\d]@\d+ cannot be read/,
    )
    expect(await kit.flow({ onError: 'skip' })).toMatchObject({ skipped: 1 })
    expect(kit.rows()).toHaveLength(1)
  })
})

describe('a run that is interrupted', () => {
  test('commits what it has begun, and says so; the next goes on from there', async () => {
    const stop = new AbortController()
    const kit = new PipelineTest(
      pipeline('p', ({ from }) => {
        from(sales)
          .pipe(
            mapAsync(async (value) => {
              stop.abort()
              return value
            }),
          )
          .to(table('all'))
      }),
    )
    await kit.send(sales, [sale('a', 0), sale('a', 1)])
    const result = await kit.flow({ signal: stop.signal })
    expect(result?.interrupted).toBe(true)
    expect(kit.rows()).toHaveLength(2)
    expect((await kit.flow())?.interrupted).toBe(false)
    expect(kit.rows()).toHaveLength(2)
  })

  test('before it has begun does nothing', async () => {
    const kit = new PipelineTest(
      pipeline('p', ({ from }) => {
        from(sales).to(table('all'))
      }),
    )
    await kit.send(sales, [sale('a', 0)])
    const result = await kit.flow({ signal: AbortSignal.abort() })
    expect(result?.interrupted).toBe(true)
    expect(kit.rows()).toEqual([])
  })
})

describe('windows at the end of a bounded run', () => {
  const hourly = (emit: 'update' | 'final') =>
    pipeline('p', ({ from }) => {
      from(sales)
        .pipe(window(tumbling('1h', { grace: '10m' }), { emit }), aggregate({ sales: count() }))
        .to(table('hours', { key: ['shop', 'window_start'] }))
    })

  test.each(['update', 'final'] as const)(
    '%s windows still open are shown, and go on with the next run',
    async (emit) => {
      const kit = new PipelineTest(hourly(emit))
      await kit.send(sales, [sale('a', 0), sale('a', 90)])
      await kit.flow()
      expect(kit.rows().map((row) => row['sales'])).toEqual([1, 1])
      await kit.send(sales, [sale('a', 95)])
      await kit.flow()
      expect(kit.rows().map((row) => row['sales'])).toEqual([1, 2])
    },
  )

  test('are closed for good when asked', async () => {
    const kit = new PipelineTest(hourly('final'))
    await kit.send(sales, [sale('a', 0), sale('a', 90)])
    await kit.flow({ final: true })
    await kit.send(sales, [sale('a', 91)])
    expect((await kit.flow())?.late).toBe(1)
    expect(kit.rows().map((row) => row['sales'])).toEqual([1, 1])
  })

  test('are shown once: another run without input sends nothing again', async () => {
    const kit = new PipelineTest(hourly('final'))
    await kit.send(sales, [sale('a', 0)])
    await kit.flow()
    const again = await kit.flow()
    expect(again?.stages.map(({ rows }) => rows)).toEqual([0, 0])
  })
})

describe('a pipeline refuses to run', () => {
  test('with another number of partitions than its topic has', async () => {
    const kit = new PipelineTest(
      pipeline('p', ({ from }) => {
        from(sales).to(table('all'))
      }),
    )
    await kit.send(sales, [sale('a', 0)])
    const wider = topic('sales', { value: json<Sale>(), partitions: 4 })
    const changed = pipeline('p', ({ from }) => {
      from(wider).to(table('all'))
    })
    await expect(kit.flow({ pipeline: changed })).rejects.toThrow(
      /The topic sales has 2 partitions, the pipeline needs 4. Declare partitions: 2/,
    )
  })

  test('on state that other aggregates made, and says what to do', async () => {
    const totals = pipeline('p', ({ from }) => {
      from(sales)
        .pipe(aggregate({ total: sum(({ amount }) => amount) }))
        .to(table('totals', { key: ['shop'] }))
    })
    const counts = pipeline('p', ({ from }) => {
      from(sales)
        .pipe(aggregate({ sales: count() }))
        .to(table('totals', { key: ['shop'] }))
    })
    const kit = new PipelineTest(totals)
    await kit.send(sales, [sale('a', 0)])
    await kit.flow()
    await expect(kit.flow({ pipeline: counts })).rejects.toMatchObject({ code: 'TOPOLOGY_CHANGED' })
    await kit.flow()
  })

  test('when its topic was deleted and made anew, rather than write rows twice', async () => {
    const kit = new PipelineTest(
      pipeline('p', ({ from }) => {
        from(sales).to(table('all'))
      }),
    )
    await kit.send(sales, [sale('a', 0)])
    await kit.flow()
    await kit.withLog((log) => log.deleteTopic('sales'))
    await kit.send(sales, [sale('a', 0)])
    await expect(kit.flow()).rejects.toMatchObject({ code: 'POSITION_DIVERGED' })
  })
})

test('what an internal topic has handed over is given up, and nothing misses it', async () => {
  const one = topic('sales', { value: json<Sale>(), key: 'shop', time: 'time', partitions: 1 })
  const perDay = pipeline('p', ({ from }) => {
    from(one)
      .pipe(keyBy('amount'), aggregate({ sales: count() }))
      .to(table('amounts', { key: ['amount'] }))
  })
  const kit = new PipelineTest(perDay)
  const many = Array.from({ length: 60_000 }, (_, n) => sale('a', n, n % 10))
  await kit.send(one, many)
  await kit.flow()
  const internal = await kit.withLog((log) => log.listTopics())
  const starts = internal
    .filter(({ name }) => name.includes('repartition'))
    .flatMap(({ partitions }) => partitions.map(({ startOffset }) => startOffset))
  expect(Math.max(...starts)).toBeGreaterThan(0)
  await kit.send(one, many.slice(0, 10))
  await kit.flow()
  expect(kit.rows().map(({ sales: counted }) => counted)).toEqual(Array(10).fill(6001))
})

test('inputs are merged by time, whatever lies in which topic or came first', async () => {
  const refunds = topic('refunds', {
    value: json<Sale>(),
    key: 'shop',
    time: 'time',
    partitions: 2,
  })
  const all = topic('all', { value: json<Sale>(), key: 'shop', time: 'time', partitions: 1 })
  const kit = new PipelineTest(
    pipeline('p', ({ from, merge }) => {
      merge(from(sales), from(refunds)).to(all)
    }),
  )
  await kit.send(refunds, [sale('a', 1), sale('a', 4), sale('a', 5)])
  await kit.send(sales, [sale('a', 0), sale('a', 2), sale('a', 3), sale('a', 6)])
  await kit.flow()
  const minutes = (await kit.records(all)).map(({ timestampMs }) => timestampMs / 60_000)
  expect(minutes).toEqual([0, 1, 2, 3, 4, 5, 6])
})

test('an unbounded source is followed until the signal, and resumed after what was committed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-run-'))
  const log = await open(join(directory, 'log'))
  const stop = new AbortController()
  const endless: Source<Sale> = {
    kind: 'source',
    name: 'endless',
    bounded: false,
    open: async ({ position, signal }) => ({
      total: {},
      async *batches() {
        for (let n = Number(position ?? 0); !signal.aborted; n++) {
          await setTimeout(1)
          yield { rows: [sale('a', n)], position: n + 1, bytesRead: 0, rowsRead: n + 1 }
        }
      },
      close: async () => {},
    }),
  }
  const kept = new KeptSink(table('all'))
  const endlessly = pipeline('endless', ({ from }) => {
    from(endless).to(sales)
    from(sales).to(kept.sink as Sink<unknown>)
  })
  const onProgress = () => {
    if (kept.rows.length > 20) stop.abort()
  }
  const result = await run(endlessly, { log, signal: stop.signal, onProgress })
  expect(result.interrupted).toBe(true)
  const before = kept.rows.length
  const again = new AbortController()
  const onMore = () => {
    if (kept.rows.length > before + 20) again.abort()
  }
  await run(endlessly, { log, signal: again.signal, onProgress: onMore })
  const minutes = kept.rows.map(({ time }) => Number(time) / 60_000)
  expect(minutes.length).toBeGreaterThan(before + 20)
  expect(minutes).toEqual(minutes.map((_, n) => n))
  await log.close()
  await rm(directory, { recursive: true })
})

test('a change that keeps the state readable is no obstacle', async () => {
  const build = (more: boolean) =>
    pipeline('p', ({ from }) => {
      const stream = from(sales)
      stream
        .pipe(aggregate({ total: sum(({ amount }) => amount) }))
        .to(table('totals', { key: ['shop'] }))
      if (more) stream.pipe(filter(({ amount }) => amount > 1)).to(table('large'))
    })
  const kit = new PipelineTest(build(true))
  await kit.send(sales, [sale('a', 0, 2)])
  await kit.flow({ pipeline: build(false) })
  await kit.send(sales, [sale('a', 1, 3)])
  await kit.flow()
  expect(kit.rows('totals').map(({ total }) => total)).toEqual([5])
  expect(kit.rows('large')).toHaveLength(2)
})

test('a sink that stores no position goes on from where the log says', async () => {
  const kit = new PipelineTest(
    pipeline('p', ({ from }) => {
      from(sales).to(table('printed', { guarantee: 'at-least-once' }))
    }),
  )
  await kit.send(sales, [sale('a', 0), sale('b', 1)])
  await kit.flow()
  await kit.send(sales, [sale('a', 2)])
  await kit.flow()
  expect(kit.rows()).toHaveLength(3)
})
