import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { json } from '@millrace/core'
import type { Clock } from '@millrace/core/io'
import { pipeline } from '../pipeline.ts'
import { topic } from '../topic.ts'
import { ChainDriver } from './chain-fixture.ts'
import { mapAsync, type MapAsyncOptions } from './map-async.ts'

interface Job {
  readonly id: number
  readonly key: string
}

type Options = MapAsyncOptions<null, Job, number>

function driverOf(
  call: (job: Job, signal: AbortSignal) => Promise<number>,
  options: Options = {},
  clock?: Clock,
): ChainDriver {
  const jobs = topic('jobs', { value: json<Job>() })
  const done = topic('done', { value: json<number>() })
  return new ChainDriver(
    pipeline('p', ({ from }) => {
      from(jobs)
        .pipe(mapAsync((job, _, signal) => call(job, signal), options))
        .to(done)
    }),
    clock === undefined ? {} : { clock },
  )
}

const push = (driver: ChainDriver, { id, key }: Job) =>
  driver.push({ key: { key }, value: { id, key }, timestampMs: id })

const done = (driver: ChainDriver) => driver.to('done').map((record) => record.value)

/** Calls that end when told to, and what was under way together. */
class Calls {
  readonly started: number[] = []
  maxUnderWay = 0
  readonly #open = new Map<number, () => void>()

  readonly call = (job: Job): Promise<number> => {
    this.started.push(job.id)
    return new Promise((resolve) => {
      this.#open.set(job.id, () => resolve(job.id))
      this.maxUnderWay = Math.max(this.maxUnderWay, this.#open.size)
    })
  }

  async end(id: number): Promise<void> {
    this.#open.get(id)?.()
    this.#open.delete(id)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }

  get underWay(): readonly number[] {
    return [...this.#open.keys()]
  }
}

describe('mapAsync', () => {
  test.each<[NonNullable<Options['order']>, number[]]>([
    ['input', [0, 1, 2, 3]],
    ['none', [3, 1, 0, 2]],
  ])('order %s', async (order, expected) => {
    const calls = new Calls()
    const driver = driverOf(calls.call, { order })
    for (let id = 0; id < 4; id++) push(driver, { id, key: 'k' })
    for (const id of [3, 1, 0, 2]) await calls.end(id)
    expect(done(driver)).toEqual(expected)
  })

  test('order key: one call of a key at a time, in order; other keys overtake', async () => {
    const calls = new Calls()
    const driver = driverOf(calls.call, { order: 'key' })
    push(driver, { id: 0, key: 'a' })
    push(driver, { id: 1, key: 'a' })
    push(driver, { id: 2, key: 'b' })
    expect(calls.underWay).toEqual([0, 2])
    await calls.end(2)
    await calls.end(0)
    expect(calls.underWay).toEqual([1])
    await calls.end(1)
    expect(done(driver)).toEqual([2, 0, 1])
  })

  test('whatever the order of endings: nothing lost, orders kept, never more calls than allowed', async () => {
    const scenario = fc.record({
      order: fc.constantFrom('input' as const, 'key' as const, 'none' as const),
      concurrency: fc.integer({ min: 1, max: 4 }),
      keys: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 15 }),
      picks: fc.infiniteStream(fc.nat()),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ order, concurrency, keys, picks }) => {
        const calls = new Calls()
        const driver = driverOf(calls.call, { order, concurrency })
        keys.forEach((key, id) => push(driver, { id, key }))
        const drained = driver.drain()
        while (calls.underWay.length > 0) {
          const pick = picks.next().value ?? 0
          await calls.end(calls.underWay[pick % calls.underWay.length] ?? 0)
        }
        await drained
        const result = done(driver) as number[]
        expect(calls.maxUnderWay).toBeLessThanOrEqual(concurrency)
        expect(result.toSorted((a, b) => a - b)).toEqual([...keys.keys()])
        const inOrder = (ids: number[]) => expect(ids).toEqual(ids.toSorted((a, b) => a - b))
        if (order === 'input') inOrder(result)
        if (order === 'key') for (const k of 'abc') inOrder(result.filter((id) => keys[id] === k))
      }),
      { numRuns: 200 },
    )
  })

  test('order key: a key that was busy takes records again in the next epoch', async () => {
    const driver = driverOf(async ({ id }) => id, { order: 'key' })
    for (const id of [0, 1, 2]) {
      push(driver, { id, key: 'a' })
      await driver.drain()
    }
    expect(done(driver)).toEqual([0, 1, 2])
  })

  test('an epoch does not end before its calls', async () => {
    const calls = new Calls()
    const driver = driverOf(calls.call)
    push(driver, { id: 0, key: 'k' })
    let isDrained = false
    const drained = driver.drain().then(() => (isDrained = true))
    await Promise.resolve()
    expect(isDrained).toBe(false)
    await calls.end(0)
    await drained
    expect(done(driver)).toEqual([0])
  })
})

describe('a call that fails', () => {
  const failing = (failures: number) => {
    let left = failures
    return async (job: Job) => {
      if (left-- > 0) throw new Error('no answer')
      return job.id
    }
  }

  test('fails the epoch, naming operator and record', async () => {
    const driver = driverOf(failing(1))
    push(driver, { id: 5, key: 'k' })
    await expect(driver.drain()).rejects.toThrow('jobs.mapAsync@0')
  })

  test('is tried again as often as told', async () => {
    const driver = driverOf(failing(2), { retry: { attempts: 2, delayMs: 0 } })
    push(driver, { id: 5, key: 'k' })
    await driver.drain()
    expect(done(driver)).toEqual([5])
  })

  test('onError skip: the record is left out and counted, the others keep their order', async () => {
    const driver = driverOf(failing(1), { onError: 'skip', concurrency: 1 })
    for (const id of [0, 1, 2]) push(driver, { id, key: 'k' })
    await driver.drain()
    expect(done(driver)).toEqual([1, 2])
    expect(driver.dropped).toEqual([{ reason: 'failed', offset: 0 }])
  })

  test('onError with a function: its value is used', async () => {
    const driver = driverOf(failing(1), { onError: (_, job) => -job.id })
    push(driver, { id: 5, key: 'k' })
    await driver.drain()
    expect(done(driver)).toEqual([-5])
  })

  test('a time-out fires the call’s signal and fails it', async () => {
    const timeouts: (() => void)[] = []
    const clock: Clock = {
      nowMs: () => 0,
      monotonicMs: () => 0,
      schedule: (_, callback) => {
        timeouts.push(callback)
        return { cancel: () => {} }
      },
    }
    let wasAborted = false
    const call = (_: Job, signal: AbortSignal) =>
      new Promise<number>(() => signal.addEventListener('abort', () => (wasAborted = true)))
    const driver = driverOf(call, { timeoutMs: 50 }, clock)
    push(driver, { id: 5, key: 'k' })
    for (const fire of timeouts) fire()
    await expect(driver.drain()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('took longer than 50 ms') },
    })
    expect(wasAborted).toBe(true)
  })
})
