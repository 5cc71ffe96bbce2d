import { expect, test } from 'vitest'
import { readBatches, readRows } from '../files/testing/file-fixture.ts'
import { generate } from './generate.ts'

test('a count bounds it, and the position gives exactly the rest', async () => {
  const source = generate({ count: 20_000, record: (n, random) => ({ n, x: random() }) })
  expect(source.bounded).toBe(true)
  const batches = await readBatches(source)
  const all = batches.flatMap(({ rows }) => rows)
  expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 20_000 }, (_, n) => n))
  expect(batches.length).toBeGreaterThan(1)
  for (const { position, rowsRead } of batches) {
    expect(await readRows(source, position)).toEqual(all.slice(rowsRead))
  }
})

test('other seeds give other numbers, each spread over [0, 1)', async () => {
  const numbers = (seed: number) =>
    readRows(generate({ seed, count: 10_000, record: (_, random) => random() }))
  const [one, again, two] = [await numbers(1), await numbers(1), await numbers(2)]
  expect(again).toEqual(one)
  expect(two).not.toEqual(one)
  const tenths = new Set(one.map((x) => Math.floor(x * 10)))
  expect(tenths).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
})

test('without a count it goes on until it is told to stop', async () => {
  const controller = new AbortController()
  const source = generate({ rate: 1_000_000, record: (n) => n })
  expect(source.bounded).toBe(false)
  const reader = await source.open({ position: undefined, signal: controller.signal })
  const rows: number[] = []
  for await (const batch of reader.batches()) {
    rows.push(...batch.rows)
    if (rows.length > 100) controller.abort()
  }
  expect(rows.length).toBeGreaterThan(100)
})

test('a rate holds records back', async () => {
  const source = generate({ rate: 1000, count: 1_000_000, record: (n) => n })
  const reader = await source.open({ position: undefined, signal: new AbortController().signal })
  const startMs = performance.now()
  for await (const { rowsRead } of reader.batches()) {
    const dueMax = performance.now() - startMs + 1
    expect(rowsRead).toBeLessThanOrEqual(dueMax)
    if (rowsRead >= 50) break
  }
})

test('senseless options and foreign positions are refused', async () => {
  const record = (n: number): number => n
  expect(() => generate({ record, count: 1.5 })).toThrow(/count must be a whole number/)
  expect(() => generate({ record, rate: 0 })).toThrow(/rate must be a number above 0/)
  await expect(readRows(generate({ record, count: 1 }), { byte: 1 })).rejects.toThrow(
    /another kind/,
  )
})
