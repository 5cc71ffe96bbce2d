import { bufferCount, map as rxMap, mergeMap, scan, timer } from 'rxjs'
import { expect, test } from 'vitest'
import { json } from '@millrace/core'
import { pipeline } from '../pipeline.ts'
import { topic } from '../topic.ts'
import { ChainDriver } from './chain-fixture.ts'
import { map } from './map.ts'
import { rx } from './rx.ts'

const numbers = () => topic('numbers', { value: json<number>() })

test('buffers of RxJS are emptied at the end of each epoch, and begin afresh', async () => {
  const driver = new ChainDriver(
    pipeline('p', ({ from }) => {
      from(numbers())
        .pipe(
          rx((records) =>
            records.pipe(
              bufferCount(3),
              rxMap((some) => ({
                key: null,
                value: some.map((r) => r.value),
                timestampMs: Math.max(...some.map((r) => r.timestampMs)),
              })),
            ),
          ),
          map((list) => ({ list })),
        )
        .to(topic('lists', { value: json<{ list: number[] }>() }))
    }),
  )
  for (let n = 0; n < 5; n++) driver.push({ value: n, timestampMs: n })
  await driver.drain()
  driver.push({ value: 5, timestampMs: 5 })
  await driver.drain()
  expect(driver.to('lists')).toMatchObject([
    { value: { list: [0, 1, 2] }, timestampMs: 2, offset: 2 },
    { value: { list: [3, 4] }, timestampMs: 4, offset: 4 },
    { value: { list: [5] }, timestampMs: 5, offset: 5 },
  ])
})

test('an epoch waits for asynchronous RxJS', async () => {
  const driver = new ChainDriver(
    pipeline('p', ({ from }) => {
      from(numbers())
        .pipe(rx((records) => records.pipe(mergeMap((r) => timer(1).pipe(rxMap(() => r))))))
        .to(topic('out', { value: json<number>() }))
    }),
  )
  driver.push({ value: 1, timestampMs: 0 })
  driver.push({ value: 2, timestampMs: 1 })
  expect(driver.to('out')).toEqual([])
  await driver.drain()
  expect(driver.to('out')).toMatchObject([
    { value: 1, offset: 0 },
    { value: 2, offset: 1 },
  ])
})

test('an error in RxJS fails the epoch, naming the operator', async () => {
  const driver = new ChainDriver(
    pipeline('p', ({ from }) => {
      from(numbers())
        .pipe(
          rx((records) =>
            records.pipe(
              scan((kept, r) => {
                if (r.value === 2) throw new Error('two!')
                return { ...r, value: kept.value + r.value }
              }),
            ),
          ),
        )
        .to(topic('out', { value: json<number>() }))
    }),
  )
  driver.push({ value: 1, timestampMs: 0 })
  expect(() => driver.push({ value: 2, timestampMs: 0 })).toThrow(
    'numbers.rx: RxJS ended with an error after numbers[0]@1: two!',
  )
  await expect(driver.drain()).rejects.toThrow('two!')
})
