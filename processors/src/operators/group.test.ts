import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json } from '@millrace/core'
import { aggregate, count } from './aggregate.ts'
import { max } from '../aggregates/extremes.ts'
import { sum } from '../aggregates/numbers.ts'
import { ChainDriver } from './chain-fixture.ts'
import { window, type WindowUseOptions } from './window.ts'
import { pipeline } from '../pipeline.ts'
import type { Sink } from '../sink.ts'
import { topic } from '../topic.ts'
import { hopping, type TimeWindows, tumbling } from '../windows/windows.ts'

interface Sale {
  readonly shop: string
  readonly amount: number
}

type Key = { readonly shop: string }

const sales = () => topic('sales', { value: json<Sale>(), key: 'shop' })
const totals = topic('totals', { value: json<{ count: number; total: number }>() })

function windowed(windows: TimeWindows, options: WindowUseOptions<Key, Sale> = {}): ChainDriver {
  return new ChainDriver(
    pipeline('shops', ({ from }) => {
      from(sales())
        .pipe(window(windows, options), aggregate({ count: count(), total: sum((s) => s.amount) }))
        .to(totals)
    }),
  )
}

/** Feeds `[timestampMs, amount, shop?]` rows; gives `[shop, start, end, count, total, timestampMs]` rows. */
function feed(driver: ChainDriver, rows: readonly (readonly [number, number, (string | null)?])[]) {
  for (const [timestampMs, amount, shop = 'a'] of rows) {
    driver.push({ key: shop === null ? null : { shop }, value: { shop, amount }, timestampMs })
  }
  return results(driver)
}

function results(driver: ChainDriver) {
  return driver.to('totals').map(({ key, value, timestampMs }) => {
    const { shop, window_start, window_end } = key as Key & {
      window_start: Date
      window_end: Date
    }
    const { count: n, total } = value as { count: number; total: number }
    return [shop, window_start.getTime(), window_end.getTime(), n, total, timestampMs]
  })
}

describe('update', () => {
  test('sends every change, with the greatest time of the window’s records', () => {
    const driver = windowed(tumbling('10ms', { grace: '100ms' }))
    expect(
      feed(driver, [
        [12, 1],
        [17, 2],
        [14, 4],
        [25, 8],
        [11, 16],
      ]),
    ).toEqual([
      ['a', 10, 20, 1, 1, 12],
      ['a', 10, 20, 2, 3, 17],
      ['a', 10, 20, 3, 7, 17],
      ['a', 20, 30, 1, 8, 25],
      ['a', 10, 20, 4, 23, 17],
    ])
  })

  test('hopping: a record changes each window that holds it, earliest first', () => {
    const driver = windowed(hopping('12ms', { advance: '5ms', grace: '100ms' }))
    expect(
      feed(driver, [
        [21, 1],
        [16, 2],
      ]),
    ).toEqual([
      ['a', 10, 22, 1, 1, 21],
      ['a', 15, 27, 1, 1, 21],
      ['a', 20, 32, 1, 1, 21],
      ['a', 5, 17, 1, 2, 16],
      ['a', 10, 22, 2, 3, 21],
      ['a', 15, 27, 2, 3, 21],
    ])
  })

  test('keys do not mix', () => {
    const driver = windowed(tumbling('10ms'))
    expect(
      feed(driver, [
        [1, 1, 'a'],
        [2, 2, 'b'],
        [3, 4, 'a'],
      ]),
    ).toEqual([
      ['a', 0, 10, 1, 1, 1],
      ['b', 0, 10, 1, 2, 2],
      ['a', 0, 10, 2, 5, 3],
    ])
  })

  test('a record without a key is left out and counted', () => {
    const driver = windowed(tumbling('10ms'))
    expect(
      feed(driver, [
        [500, 1, null],
        [1, 2],
      ]),
    ).toEqual([['a', 0, 10, 1, 2, 1]])
    expect(driver.dropped).toEqual([{ reason: 'null-key', offset: 0 }])
  })
})

describe('last change per key', () => {
  const upserts: Sink<Record<never, unknown>> = {
    kind: 'sink',
    name: 'db',
    guarantee: 'exactly-once',
    mode: 'upsert',
    key: ['shop', 'window_start'],
    open: () => Promise.reject(new Error('not opened')),
  }
  const driver = () =>
    new ChainDriver(
      pipeline('shops', ({ from }) => {
        from(sales())
          .pipe(window(tumbling('10ms')), aggregate({ total: sum((s) => s.amount) }))
          .to(upserts)
      }),
    )
  const sent = (from: ChainDriver) =>
    from.to('shops-sales-by-shop-10ms-results').map(({ value, offset }) => [value, offset])

  test('leaves at the end of each epoch, also of a window that closed in it', async () => {
    const shops = driver()
    feed(shops, [
      [1, 1],
      [2, 2],
      [11, 4],
      [12, 8],
    ])
    expect(sent(shops)).toEqual([])
    await shops.drain()
    expect(sent(shops)).toEqual([
      [{ total: 3 }, 1],
      [{ total: 12 }, 3],
    ])
    feed(shops, [[13, 16]])
    await shops.drain()
    expect(sent(shops).slice(2)).toEqual([[{ total: 28 }, 4]])
  })
})

describe('late', () => {
  // The window [10, 20) with grace 5 closes when stream time reaches 25.
  test.each<[string, number, boolean]>([
    ['is used until stream time reaches end + grace', 24, true],
    ['is late from then on', 25, false],
  ])('a record %s', (_, streamTimeMs, isUsed) => {
    const driver = windowed(tumbling('10ms', { grace: '5ms' }))
    const out = feed(driver, [
      [streamTimeMs, 1, 'other'],
      [15, 2],
    ])
    expect(out.slice(1)).toEqual(isUsed ? [['a', 10, 20, 1, 2, 15]] : [])
    expect(driver.dropped).toEqual(isUsed ? [] : [{ reason: 'late', offset: 1 }])
  })

  test('stream time includes the record itself: a jump ahead is never late', () => {
    const driver = windowed(tumbling('10ms'))
    expect(
      feed(driver, [
        [5, 1],
        [1_000_005, 2],
      ]),
    ).toHaveLength(2)
    expect(driver.dropped).toEqual([])
  })

  test('each hop is judged by itself', () => {
    const driver = windowed(hopping('10ms', { advance: '5ms', grace: '0s' }))
    // 12 belongs to [5, 15) and [10, 20); at stream time 17 the first is closed.
    expect(
      feed(driver, [
        [17, 1, 'other'],
        [12, 2],
      ]).slice(2),
    ).toEqual([['a', 10, 20, 1, 2, 12]])
    expect(driver.dropped).toEqual([{ reason: 'late', offset: 1 }])
  })

  test('without grace given, none is granted', () => {
    const driver = windowed(tumbling('10ms'))
    feed(driver, [
      [20, 1],
      [19, 2],
    ])
    expect(driver.dropped).toEqual([{ reason: 'late', offset: 1 }])
  })

  test('late records reach the topic given for them, once each, with key and time', () => {
    const late = topic('late-sales', { value: json<Sale>() })
    const driver = windowed(hopping('10ms', { advance: '5ms' }), { late })
    feed(driver, [
      [100, 1],
      [12, 2],
      [101, 3],
    ])
    expect(driver.to('late-sales')).toMatchObject([
      { key: { shop: 'a' }, value: { shop: 'a', amount: 2 }, timestampMs: 12 },
    ])
    expect(driver.dropped).toHaveLength(2)
  })

  test('a closed window takes no more room', () => {
    const driver = windowed(tumbling('10ms', { grace: '5ms' }))
    feed(driver, [
      [1, 1],
      [11, 1],
      [21, 1, 'b'],
    ])
    const [store] = [...driver.stores.values()]
    expect(store?.slots()).toEqual([10, 20])
    expect(store?.size).toBe(2)
  })
})

describe('final', () => {
  test('each window leaves once, when stream time reaches end + grace, in order', () => {
    const driver = windowed(tumbling('10ms', { grace: '5ms' }), { emit: 'final' })
    expect(
      feed(driver, [
        [3, 1],
        [24, 2],
        [13, 4],
        [4, 8],
      ]),
    ).toEqual([['a', 0, 10, 1, 1, 3]])
    expect(feed(driver, [[25, 16, 'b']]).slice(1)).toEqual([['a', 10, 20, 1, 4, 13]])
    expect(driver.dropped).toEqual([{ reason: 'late', offset: 3 }])
  })

  test('several windows that close together leave by start, then by arrival of their keys', () => {
    const driver = windowed(tumbling('10ms', { grace: '100ms' }), { emit: 'final' })
    const out = feed(driver, [
      [15, 1, 'b'],
      [5, 2, 'b'],
      [16, 4, 'a'],
      [6, 8, 'a'],
      [900, 16],
    ])
    expect(out.map(([shop, start]) => [shop, start])).toEqual([
      ['b', 0],
      ['a', 0],
      ['b', 10],
      ['a', 10],
    ])
  })

  test('at the end of a bounded run open windows show early and stay open', () => {
    const driver = windowed(tumbling('10ms'), { emit: 'final' })
    feed(driver, [[3, 1]])
    driver.flushWindows({ close: false })
    expect(results(driver)).toEqual([['a', 0, 10, 1, 1, 3]])
    expect(
      feed(driver, [
        [4, 2],
        [10, 1],
      ]).slice(1),
    ).toEqual([['a', 0, 10, 2, 3, 4]])
  })

  test('closing ends them for good: what comes later for them is late', () => {
    const driver = windowed(tumbling('10ms', { grace: '5ms' }), { emit: 'final' })
    feed(driver, [
      [3, 1],
      [11, 1],
    ])
    driver.flushWindows({ close: true })
    expect(results(driver)).toHaveLength(2)
    expect(feed(driver, [[12, 1]])).toHaveLength(2)
    expect(driver.dropped).toEqual([{ reason: 'late', offset: 2 }])
  })

  test('the last update of each window is its final result, whatever the order of records', () => {
    const row = fc.tuple(
      fc.integer({ min: 0, max: 120 }),
      fc.integer({ min: -9, max: 9 }),
      fc.constantFrom('a', 'b'),
    )
    const shape = fc.record({
      advance: fc.integer({ min: 1, max: 20 }),
      more: fc.integer({ min: 0, max: 20 }),
      grace: fc.integer({ min: 0, max: 30 }),
    })
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), shape, (rows, { advance, more, grace }) => {
        const windows = hopping(`${advance + more}ms`, {
          advance: `${advance}ms`,
          grace: `${grace}ms`,
        })
        const updates = windowed(windows)
        const finals = windowed(windows, { emit: 'final' })
        feed(updates, rows)
        feed(finals, rows)
        finals.flushWindows({ close: true })
        const last = new Map(results(updates).map((row) => [`${row[0]} ${row[1]}`, row]))
        const final = new Map(results(finals).map((row) => [`${row[0]} ${row[1]}`, row]))
        expect(final).toEqual(last)
        expect(results(finals)).toHaveLength(final.size)
        expect(finals.dropped).toEqual(updates.dropped)
        expect(final).toEqual(naive(windows, rows))
      }),
    )
  })
})

/** The rules, said as simply as can be: every window of every key, by looking at all records again. */
function naive(windows: TimeWindows, rows: readonly (readonly [number, number, string])[]) {
  const accepted = new Map<string, (string | number)[]>()
  let streamTimeMs = -1
  for (const [timestampMs, amount, shop] of rows) {
    streamTimeMs = Math.max(streamTimeMs, timestampMs)
    for (let start = 0; start <= timestampMs; start += windows.advanceMs) {
      const end = start + windows.sizeMs
      if (timestampMs >= end || end <= streamTimeMs - windows.graceMs) continue
      const old = accepted.get(`${shop} ${start}`) ?? [shop, start, end, 0, 0, -1]
      const [, , , n, total, time] = old as [string, number, number, number, number, number]
      accepted.set(`${shop} ${start}`, [
        shop,
        start,
        end,
        n + 1,
        total + amount,
        Math.max(time, timestampMs),
      ])
    }
  }
  return accepted
}

describe('state', () => {
  test('goes on exactly where the changelog says: windows, stream time and lateness', () => {
    const rows: [number, number, string][] = [
      [3, 1, 'a'],
      [14, 2, 'b'],
      [26, 4, 'a'],
      [15, 8, 'a'],
    ]
    const after: [number, number, string][] = [
      [16, 1, 'b'],
      [27, 2, 'a'],
      [5, 4, 'a'],
      [40, 8, 'b'],
    ]
    const whole = windowed(tumbling('10ms', { grace: '10ms' }))
    const expected = feed(whole, [...rows, ...after])

    const before = windowed(tumbling('10ms', { grace: '10ms' }))
    const changes = []
    for (const row of rows) {
      feed(before, [row])
      changes.push(...before.takeChanges())
    }
    const restored = windowed(tumbling('10ms', { grace: '10ms' }))
    const [name = ''] = before.stores.keys()
    for (const change of changes) restored.store(name).restore(change)
    expect([...results(before), ...feed(restored, after)]).toEqual(expected)
    expect(before.dropped.length + restored.dropped.length).toBe(whole.dropped.length)
    expect(whole.dropped.length).toBeGreaterThan(0)
  })

  test('each key is written once per epoch', async () => {
    const driver = windowed(tumbling('10ms', { grace: '1s' }))
    feed(driver, [
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1, 'b'],
    ])
    await driver.drain()
    expect(driver.takeChanges().map(({ key }) => key)).toEqual([
      '0 {"shop":"a"}',
      '0 {"shop":"b"}',
      'stream-time',
    ])
    expect(driver.takeChanges()).toEqual([])
  })

  test('a closed window leaves a tombstone, unless it was never written', () => {
    const driver = windowed(tumbling('10ms'))
    feed(driver, [[1, 1]])
    driver.takeChanges()
    feed(driver, [
      [11, 1],
      [22, 1],
    ])
    expect(driver.takeChanges()).toEqual([
      { key: '0 {"shop":"a"}', value: null },
      { key: '20 {"shop":"a"}', value: '[22,1,1]' },
      { key: 'stream-time', value: '22' },
    ])
  })
})

test('max keeps dates through the changelog', () => {
  const latest = topic('latest', { value: json<{ at: Date }>() })
  const make = () =>
    new ChainDriver(
      pipeline('shops', ({ from }) => {
        from(sales())
          .pipe(aggregate({ at: max((s) => new Date(s.amount)) }))
          .to(latest)
      }),
    )
  const first = make()
  first.push({ key: { shop: 'a' }, value: { shop: 'a', amount: 99 }, timestampMs: 1 })
  const second = make()
  for (const change of first.takeChanges()) second.store('sales-by-shop').restore(change)
  second.push({ key: { shop: 'a' }, value: { shop: 'a', amount: 5 }, timestampMs: 2 })
  expect(second.to('latest').at(-1)?.value).toEqual({ at: new Date(99) })
})
