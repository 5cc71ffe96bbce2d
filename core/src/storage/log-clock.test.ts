import { expect, test } from 'vitest'
import { SimulatedMachine, VirtualClock } from '../testing/index.ts'
import { LogClock } from './log-clock.ts'

const YEAR_MS = 365 * 86_400_000

test('a wall clock set forward or back while the log is open moves no time', () => {
  const clock = new VirtualClock(1000)
  const time = new LogClock(clock)
  expect(time.nowMs()).toBe(1000)
  clock.jump(-YEAR_MS)
  clock.advance(50)
  clock.jump(3 * YEAR_MS)
  clock.advance(50)
  expect(time.nowMs()).toBe(1100)
})

test('nor does one set while the log is closed and the machine runs on', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  const before = new LogClock(clock).moment()
  clock.advance(10)
  machine.kill()
  const later = machine.boot().clock
  later.jump(YEAR_MS)
  later.advance(5)
  expect(new LogClock(later, before).nowMs() - before.logMs).toBe(15)
  later.jump(-2 * YEAR_MS)
  expect(new LogClock(later, before).nowMs() - before.logMs).toBe(15)
})

test('over a restart of the machine the wall clock tells, but never backward', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  clock.advance(7)
  const before = new LogClock(clock).moment()
  machine.losePower()
  const later = machine.boot().clock
  later.jump(500)
  expect(new LogClock(later, before).nowMs() - before.logMs).toBe(500)
  later.jump(-YEAR_MS)
  expect(new LogClock(later, before).nowMs()).toBe(before.logMs)
})

test('a suspended hour counts once the log is opened again', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  const time = new LogClock(clock)
  machine.suspend(3_600_000)
  expect(time.nowMs()).toBe(time.moment().logMs)
  expect(clock.nowMs() - time.nowMs()).toBe(3_600_000)
  expect(new LogClock(clock, { ...time.moment(), sinceBootMs: 0 }).nowMs() - time.nowMs()).toBe(
    3_600_000,
  )
})

test('an append whose time was lost with the machine is never taken to be older than it is', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  const before = new LogClock(clock).moment()
  clock.advance(20_000)
  const appendedMs = new LogClock(clock, before).nowMs()
  clock.jump(-YEAR_MS)
  machine.losePower()
  const after = new LogClock(machine.boot().clock, before, 60_000)
  expect(after.latestLostMs()).toBeGreaterThanOrEqual(appendedMs)
  expect(after.nowMs()).toBe(before.logMs)
})
