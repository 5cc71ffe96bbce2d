import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json } from '@millrace/core'
import { pipeline } from '../pipeline.ts'
import { sum } from '../aggregates/numbers.ts'
import { topic } from '../topic.ts'
import { aggregate, count, reduce } from './aggregate.ts'
import { ChainDriver } from './chain-fixture.ts'
import { filter } from './filter.ts'
import { flatMap } from './flat-map.ts'
import { keyBy } from './key-by.ts'
import { map } from './map.ts'
import { tap } from './tap.ts'

const numbers = () => topic('numbers', { value: json<number>() })
const out = topic('out', { value: json<number>() })

function feed(driver: ChainDriver, values: readonly unknown[]): void {
  values.forEach((value, at) => driver.push({ value, timestampMs: at }))
}

describe('a chain of operators', () => {
  test('does what array methods do', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), (values, divisor) => {
        const seen: number[] = []
        const driver = new ChainDriver(
          pipeline('p', ({ from }) => {
            from(numbers())
              .pipe(
                map((n) => n * 2),
                filter((n) => n % divisor === 0),
                tap((n) => seen.push(n)),
                flatMap((n) => [n, -n]),
              )
              .to(out)
          }),
        )
        feed(driver, values)
        const kept = values.map((n) => n * 2).filter((n) => n % divisor === 0)
        expect(seen).toEqual(kept)
        expect(driver.to('out').map((r) => r.value)).toEqual(kept.flatMap((n) => [n, -n]))
      }),
    )
  })

  test('keeps key, time and origin of each record', () => {
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        from(numbers())
          .pipe(flatMap((n) => [n, n + 1]))
          .to(out)
      }),
    )
    driver.push({ key: { id: 7 }, value: 1, timestampMs: 42 })
    const expected = { key: { id: 7 }, timestampMs: 42, offset: 0, origin: { topic: 'numbers' } }
    expect(driver.to('out')).toMatchObject([
      { ...expected, value: 1 },
      { ...expected, value: 2 },
    ])
  })

  test('runs what comes before a fork once', () => {
    let calls = 0
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        const doubled = from(numbers()).pipe(
          map((n) => {
            calls++
            return n * 2
          }),
        )
        doubled.to(out)
        doubled.pipe(map((n) => n + 1)).to(topic('odd', { value: json<number>() }))
      }),
    )
    feed(driver, [1, 2])
    expect(calls).toBe(2)
    expect(driver.to('out').map((r) => r.value)).toEqual([2, 4])
    expect(driver.to('odd').map((r) => r.value)).toEqual([3, 5])
  })

  test('merges streams in the order they are pushed', () => {
    const driver = new ChainDriver(
      pipeline('p', ({ from, merge }) => {
        const others = topic('others', { value: json<number>() })
        merge(from(numbers()), from(others).pipe(map((n) => -n))).to(out)
      }),
    )
    driver.push({ value: 1, timestampMs: 0 }, 'numbers')
    driver.push({ value: 2, timestampMs: 1 }, 'others')
    driver.push({ value: 3, timestampMs: 2 }, 'numbers')
    expect(driver.to('out').map((r) => r.value)).toEqual([1, -2, 3])
  })
})

describe('a callback that throws', () => {
  const broken = (skipsFailures: boolean) =>
    new ChainDriver(
      pipeline('p', ({ from }) => {
        from(numbers())
          .pipe(
            map(
              (n) => {
                if (n === 3) throw new Error('three!')
                return n
              },
              { name: 'no threes' },
            ),
          )
          .to(out)
      }),
      { skipsFailures },
    )

  test('is reported with its operator and record, and ends the epoch', async () => {
    const driver = broken(false)
    feed(driver, [1, 2])
    expect(() => feed(driver, [3])).toThrow('no threes@2')
    await expect(driver.drain()).rejects.toThrow('no threes@2')
    expect(driver.to('out')).toHaveLength(2)
  })

  test('may be passed over, and the chain goes on', async () => {
    const driver = broken(true)
    feed(driver, [1, 3, 4])
    await driver.drain()
    expect(driver.to('out').map((r) => r.value)).toEqual([1, 4])
    expect(driver.failed).toEqual([1])
  })

  test('in an aggregate leaves the others of the same record as they were', () => {
    const rows = topic('rows', { value: json<{ k: number; n: number }>(), key: 'k' })
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        from(rows)
          .pipe(aggregate({ count: count(), sum: sum((row) => row.n) }))
          .to(topic('sums', { value: json<{ count: number; sum: number }>() }))
      }),
      { skipsFailures: true },
    )
    for (const n of [Number.NaN, 2, Number.NaN, 5]) {
      driver.push({ key: { k: 1 }, value: { k: 1, n }, timestampMs: 0 })
    }
    expect(driver.to('sums').map((r) => r.value)).toEqual([
      { count: 1, sum: 2 },
      { count: 2, sum: 7 },
    ])
    expect(driver.failed).toEqual([0, 2])
  })
})

describe('keyBy', () => {
  interface Row {
    readonly a: string | null
    readonly b: number
  }
  const keysOf = (build: ReturnType<typeof keyBy<null, Row, 'a' | readonly ['a', 'b']>>) => {
    const rows = topic('rows', { value: json<Row>() })
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        from(rows)
          .pipe(build)
          .to(topic('keyed', { value: json<Row>() }))
      }),
    )
    feed(driver, [
      { a: 'x', b: 1 },
      { a: null, b: 2 },
    ])
    return driver.to('keyed').map((r) => r.key)
  }

  test('names the parts; a part that is missing makes no key', () => {
    expect(keysOf(keyBy('a'))).toEqual([{ a: 'x' }, null])
    expect(keysOf(keyBy(['a', 'b']))).toEqual([{ a: 'x', b: 1 }, null])
  })
})

describe('without a window', () => {
  const rows = () => topic('rows', { value: json<{ n: number }>(), key: 'n' })

  test('each key is one group for ever', () => {
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        from(rows())
          .pipe(count())
          .to(topic('counts', { value: json<{ count: number }>() }))
      }),
    )
    driver.push({ key: { n: 1 }, value: { n: 1 }, timestampMs: 9 })
    driver.push({ key: { n: 2 }, value: { n: 2 }, timestampMs: 5 })
    driver.push({ key: { n: 1 }, value: { n: 1 }, timestampMs: 7 })
    expect(driver.to('counts')).toMatchObject([
      { key: { n: 1 }, value: { count: 1 }, timestampMs: 9 },
      { key: { n: 2 }, value: { count: 1 }, timestampMs: 5 },
      { key: { n: 1 }, value: { count: 2 }, timestampMs: 9 },
    ])
  })

  test('reduce never mixes the accumulators of two keys', () => {
    const driver = new ChainDriver(
      pipeline('p', ({ from }) => {
        from(rows())
          .pipe(
            reduce({ all: [] as number[] }, (kept, { n }) => {
              kept.all.push(n)
              return kept
            }),
          )
          .to(topic('lists', { value: json<{ all: number[] }>() }))
      }),
    )
    driver.push({ key: { n: 1 }, value: { n: 1 }, timestampMs: 0 })
    driver.push({ key: { n: 2 }, value: { n: 2 }, timestampMs: 0 })
    expect(driver.to('lists').map((r) => r.value)).toEqual([{ all: [1] }, { all: [2] }])
  })

  test('what a value of another type would spoil is refused', () => {
    expect(() => aggregate({})).toThrow('sums up nothing')
  })
})
