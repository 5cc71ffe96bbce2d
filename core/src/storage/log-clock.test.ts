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

const HOUR_MS = 3_600_000

test('for the time that the machine was off the wall clock tells, an hour after the start, and never backward', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  clock.advance(7)
  const before = new LogClock(clock).moment()
  machine.losePower()
  const later = machine.boot().clock
  later.jump(5 * HOUR_MS)
  const time = new LogClock(later, before)
  later.advance(HOUR_MS - 1)
  expect(time.nowMs() - before.logMs).toBe(HOUR_MS - 1)
  later.advance(1)
  expect(time.nowMs() - before.logMs).toBe(6 * HOUR_MS)
  later.jump(-YEAR_MS)
  expect(time.nowMs() - before.logMs).toBe(6 * HOUR_MS)
  expect(new LogClock(later, before).nowMs() - before.logMs).toBe(HOUR_MS)
})

test('a wall clock that is wrong when the machine starts, and right within the hour, moves no time', () => {
  for (const wrongMs of [-YEAR_MS, YEAR_MS]) {
    const machine = new SimulatedMachine(1)
    let moment = new LogClock(machine.boot().clock).moment()
    const { logMs } = moment
    machine.losePower()
    let { clock } = machine.boot()
    clock.jump(2 * HOUR_MS + wrongMs)
    const stampedMs = new LogClock(clock, moment).stampMs()
    expect(stampedMs - logMs).toBe(Math.max(0, 2 * HOUR_MS + wrongMs))
    // Killed and opened again, it still does not believe, nor does it forget.
    moment = new LogClock(clock, moment).moment()
    machine.kill()
    clock = machine.boot().clock
    const time = new LogClock(clock, moment)
    clock.advance(HOUR_MS / 2)
    clock.jump(-wrongMs)
    expect(time.certainMs()).toBe(wrongMs < 0 ? time.nowMs() : undefined)
    clock.advance(HOUR_MS / 2)
    expect(time.nowMs() - logMs).toBe(wrongMs < 0 ? HOUR_MS : 3 * HOUR_MS)
    expect(time.certainMs()).toBe(time.nowMs())
  }
})

test('a wall clock set back while the log is open claims nothing once it is right again', () => {
  const machine = new SimulatedMachine(1)
  const { clock } = machine.boot()
  const time = new LogClock(clock)
  clock.jump(-YEAR_MS)
  clock.advance(10)
  const before = time.moment()
  machine.losePower()
  const later = machine.boot().clock
  later.jump(YEAR_MS)
  later.advance(HOUR_MS)
  expect(new LogClock(later, before).nowMs() - before.logMs).toBe(HOUR_MS)
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
