import { expect, test } from 'vitest'
import { VirtualClock } from '../testing/index.ts'
import { AppendClock } from './append-clock.ts'

test('a wall clock set forward or back makes no append older than it is', () => {
  const clock = new VirtualClock(1000)
  const time = new AppendClock(clock)
  clock.jump(-600)
  clock.advance(50)
  const appendedMs = time.latestMs()
  clock.jump(600 + 10_000)
  clock.advance(50)
  expect(time.earliestMs() - appendedMs).toBe(50)
})
