import pg from 'pg'
import { expect, test } from 'vitest'
import { ConnectionLostError, verdictOf } from './server-errors.ts'

function serverError(code: string, more: Partial<pg.DatabaseError> = {}): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('words', 5, 'error'), { code, ...more })
}

test.each([
  [
    '40001 40P01 53000 53100 53200 53300 53400 55P03 55006 57014 57P01 57P02 57P03 58030 25006 25P03',
    'retry',
  ],
  ['22003 22021 22P02 22P03 22P05 23502 23503 23505 23514 P0001 54000', 'data'],
  ['28P01 28000 3D000 42501 42703 42P01 42P10 0A000', 'fatal'],
  ['21000', 'repeated'],
])('%s: %s', (codes, verdict) => {
  for (const code of codes.split(' '))
    expect([code, verdictOf(serverError(code))]).toEqual([code, verdict])
})

test('a lost connection is no fault of the batch', () => {
  expect(verdictOf(new ConnectionLostError(new Error('gone')))).toBe('retry')
})

test('bytes of another type than the column has are not taken for a broken line, and tried for ever', () => {
  const where = 'COPY flights, line 1, column delay'
  expect(verdictOf(serverError('08P01', { where }))).toBe('fatal')
  expect(verdictOf(serverError('08P01'))).toBe('retry')
})

test('a server out of transaction ids is out of order, and its rows are not bad', () => {
  expect(verdictOf(serverError('54000', { routine: 'GetNewTransactionId' }))).toBe('retry')
  expect(verdictOf(serverError('54000', { routine: '_bt_check_third_page' }))).toBe('data')
})
