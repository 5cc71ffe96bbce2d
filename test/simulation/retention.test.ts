import { type Log, open } from '@millrace/core'
import { SimulatedMachine, type SimulatedPorts } from '@millrace/core/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchWriter } from '../../core/src/batch/index.ts'
import { DIRECTORY } from './directory.ts'

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS
const YEAR_2001_MS = 978_307_200_000

/** Something that happens to a log whose records may go after an hour. */
type Step =
  | { readonly kind: 'append' }
  | { readonly kind: 'pass' | 'set the clock'; readonly ms: number }
  | { readonly kind: 'reopen' | 'kill' }

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Step>({ kind: 'append' }) },
    { weight: 4, arbitrary: fc.nat(HOUR_MS / 2).map((ms): Step => ({ kind: 'pass', ms })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(-YEAR_MS, -HOUR_MS, HOUR_MS, YEAR_MS)
        .map((ms): Step => ({ kind: 'set the clock', ms })),
    },
    { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'reopen' }, { kind: 'kill' }) },
  ),
  { maxLength: 25 },
)

class AgingLog {
  readonly machine = new SimulatedMachine(1)
  ports: SimulatedPorts = this.machine.boot()
  #elapsedBeforeMs = 0
  #log: Log | undefined
  /** When each record was appended, by time that has truly passed; the index is its offset. */
  readonly appendedMs: number[] = []

  get log(): Log {
    if (this.#log === undefined) throw new Error('not opened yet')
    return this.#log
  }

  get elapsedMs(): number {
    return this.#elapsedBeforeMs + this.ports.clock.monotonicMs()
  }

  async open(): Promise<void> {
    this.#log = await this.machine.until(open(DIRECTORY, { ports: this.ports }))
  }

  async create(): Promise<void> {
    const config = { retentionMs: HOUR_MS, segmentMs: HOUR_MS / 6 }
    await this.machine.until(this.log.createTopic({ name: 't', config }))
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'append') await this.#append()
    else if (step.kind === 'pass') this.ports.clock.advance(step.ms)
    else if (step.kind === 'set the clock') this.ports.clock.jump(step.ms)
    else {
      if (step.kind === 'reopen') await this.machine.until(this.log.close())
      this.#elapsedBeforeMs = this.elapsedMs
      this.ports = this.machine.boot()
      await this.open()
    }
    // Lets retention finish what it has begun.
    await this.machine.until(this.log.describe())
    this.ports.clock.advance(1)
  }

  /** First offset that can be read, and the first that must be there: younger than an hour. */
  async starts(): Promise<{ actual: number; youngest: number }> {
    const target = { topic: 't', partition: 0, at: 'earliest' } as const
    const { offset } = await this.machine.until(this.log.findOffset(target))
    const found = this.appendedMs.findIndex((ms) => this.elapsedMs - ms < HOUR_MS)
    return { actual: offset, youngest: found < 0 ? this.appendedMs.length : found }
  }

  async #append(): Promise<void> {
    const writer = new BatchWriter()
    writer.append(null, 'old news', YEAR_2001_MS)
    const request = { topic: 't', partition: 0, batch: writer.finish() }
    await this.machine.until(this.log.append(request))
    this.appendedMs.push(this.elapsedMs)
  }
}

test('records stamped 2001 live for an hour after their append, however the clock is set', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const aging = new AgingLog()
      await aging.open()
      await aging.create()
      for (const step of list) {
        await aging.take(step)
        const { actual, youngest } = await aging.starts()
        expect(actual).toBeLessThanOrEqual(youngest)
      }
    }),
    { numRuns: 200 },
  )
})

test('an hour after their append records go', async () => {
  const aging = new AgingLog()
  await aging.open()
  await aging.create()
  await aging.take({ kind: 'append' })
  for (let minutes = 0; minutes < 80; minutes += 10)
    await aging.take({ kind: 'pass', ms: HOUR_MS / 6 })
  await aging.take({ kind: 'append' })
  for (let turns = 0; turns < 3; turns += 1) await aging.take({ kind: 'pass', ms: 60_000 })
  expect((await aging.starts()).actual).toBe(1)
})
