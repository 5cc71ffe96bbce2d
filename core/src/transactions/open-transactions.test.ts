import { expect, test } from 'vitest'
import { OpenTransactions } from './open-transactions.ts'

test('the first undecided offset is that of the oldest open transaction', () => {
  const transactions = new OpenTransactions()
  expect(transactions.firstUndecidedOffset).toBe(Infinity)
  transactions.add(1, 0, 10)
  transactions.add(2, 0, 12)
  transactions.add(1, 0, 14)
  expect(transactions.firstUndecidedOffset).toBe(10)
  transactions.decide(1, 0, 'commit', 15)
  expect(transactions.firstUndecidedOffset).toBe(12)
  transactions.decide(2, 0, 'abort', 15)
  expect(transactions.firstUndecidedOffset).toBe(Infinity)
})

test('only the batches of an aborted transaction are void, not those of its producer before and after', () => {
  const transactions = new OpenTransactions()
  transactions.add(1, 0, 0)
  transactions.decide(1, 0, 'commit', 2)
  transactions.add(1, 1, 3)
  transactions.decide(1, 1, 'abort', 6)
  transactions.add(1, 2, 7)
  expect(
    [0, 1, 3, 5].map((offset) => transactions.isAborted(1, offset < 3 ? 0 : 1, offset)),
  ).toEqual([false, false, true, true])
  expect(transactions.isAborted(1, 2, 7)).toBe(false)
  expect(transactions.isAborted(2, 1, 4)).toBe(false)
})

test('a transaction whose marker is missing stays apart from the next of its producer', () => {
  const transactions = new OpenTransactions()
  transactions.add(1, 0, 0)
  transactions.add(1, 1, 5)
  transactions.decide(1, 1, 'abort', 9)
  expect(transactions.list()).toEqual([{ producerId: 1, producerEpoch: 0, firstOffset: 0 }])
})
