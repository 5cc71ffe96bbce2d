import { expect, test } from 'vitest'
import {
  ClosedError,
  CorruptDataError,
  FailedError,
  FencedError,
  InvariantError,
  RejectedError,
  UnavailableError,
  UsageError,
} from '../errors.ts'
import { carriedError, carryError } from './carried-error.ts'

/** As it arrives in the other thread. */
function carried(error: unknown): unknown {
  return carriedError(structuredClone(carryError(error)))
}

for (const type of [
  UsageError,
  RejectedError,
  UnavailableError,
  FencedError,
  CorruptDataError,
  FailedError,
  ClosedError,
]) {
  test(`a ${type.name} is one in the other thread, with its code, facts, stack and cause`, () => {
    const cause = new RangeError('too far')
    const error = new type('CODE', 'what, where, next', { facts: { offset: 3 }, cause })
    const arrived = carried(error)
    expect(arrived).toBeInstanceOf(type)
    expect(arrived).toMatchObject({ name: type.name, code: 'CODE', facts: { offset: 3 } })
    expect((arrived as Error).message).toBe('what, where, next')
    expect((arrived as Error).stack).toBe(error.stack)
    expect((arrived as Error).cause).toBeInstanceOf(RangeError)
  })
}

test('a broken invariant is reported once, in its own words', () => {
  const error = new InvariantError('two and two')
  expect(carried(error)).toBeInstanceOf(InvariantError)
  expect((carried(error) as Error).message).toBe(error.message)
})

test("an error of the system keeps what it says of itself, so that it isn't taken for a bug", () => {
  const error = Object.assign(new Error('ENOSPC: no space left'), {
    code: 'ENOSPC',
    syscall: 'write',
  })
  expect(carried(error)).toMatchObject({ message: error.message, code: 'ENOSPC', syscall: 'write' })
})

test('facts that no message can hold do not keep the error from arriving', () => {
  const error = new UsageError('USAGE', 'no', {
    facts: { callback: () => 1, n: 1n, at: new Date(3) },
  })
  expect(carried(error)).toMatchObject({ facts: { n: 1n, at: new Date(3) } })
  expect((carried(error) as UsageError).facts['callback']).toMatch(/function/)
})

test('causes in a circle end', () => {
  const error = new Error('first')
  error.cause = new Error('second', { cause: error })
  expect((carried(error) as Error).cause).toMatchObject({ message: 'second' })
})

test('what is no error is thrown as what it was', () => {
  expect(carried('a string')).toBe('a string')
  expect(carried(undefined)).toBe(undefined)
})
