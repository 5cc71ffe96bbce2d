import { UnavailableError } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { RunControl } from './run-control.ts'

test('an interrupted run has time to drain, and is given up when it cannot', () => {
  const { clock } = simulatedPorts(1)
  const stop = new AbortController()
  const control = new RunControl(stop.signal, clock)
  stop.abort()
  expect(control.draining).toBe(true)
  clock.advance(29_000)
  expect(control.abort.aborted).toBe(false)
  clock.advance(2000)
  expect(control.abort.aborted).toBe(true)
  expect(() => control.finish()).toThrow(UnavailableError)
})

test('an interrupted run that drains in time has not failed', () => {
  const { clock } = simulatedPorts(1)
  const stop = new AbortController()
  const control = new RunControl(stop.signal, clock)
  stop.abort()
  control.finish()
  clock.advance(60_000)
  expect(control.failed).toBe(false)
})
