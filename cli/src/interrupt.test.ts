import { afterEach, expect, test, vi } from 'vitest'
import { Interrupt } from './interrupt.ts'

afterEach(() => {
  vi.restoreAllMocks()
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal)
})

/** Stands in for the end of this process, which is the one thing a test must not have. */
function watchExit() {
  return vi.spyOn(process, 'exit').mockImplementation(() => undefined as never)
}

test('one press that arrives twice, as npm passes it on, is one press', () => {
  const exit = watchExit()
  const interrupt = new Interrupt('')
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGINT', 'SIGINT')
  expect(interrupt.signal.aborted).toBe(true)
  expect(interrupt.code).toBe(130)
  expect(exit).not.toHaveBeenCalled()
})

test('a second press ends the process', () => {
  const exit = watchExit()
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000)
  new Interrupt('')
  process.emit('SIGINT', 'SIGINT')
  now.mockReturnValue(2000)
  process.emit('SIGINT', 'SIGINT')
  expect(exit).toHaveBeenCalledWith(130)
})

test('without a signal, stopping gives the signals back', () => {
  const interrupt = new Interrupt('')
  interrupt.stop()
  expect(interrupt.code).toBeUndefined()
  expect(process.listenerCount('SIGINT')).toBe(0)
})
