import { expect, test } from 'vitest'
import { json } from '@millrace/core'
import { aggregate, count, reduce } from './aggregate.ts'
import { ChainDriver } from './chain-fixture.ts'
import { window } from './window.ts'
import { pipeline } from '../pipeline.ts'
import { topic } from '../topic.ts'
import { hopping } from '../windows/windows.ts'

interface Sale {
  readonly shop: string
  readonly amount: number
}

const sales = topic('sales', { value: json<Sale>(), key: 'shop' })
const totals = topic('totals', { value: json<{ count: number; total: number }>() })

const sale = (timestampMs: number, amount: number) => {
  return { key: { shop: 'a' }, value: { shop: 'a', amount }, timestampMs }
}

test('a record that a callback fails on in one of its windows counts in none of them', () => {
  const driver = new ChainDriver(
    pipeline('shops', ({ from }) => {
      from(sales)
        .pipe(
          window(hopping('10ms', { advance: '5ms', grace: '100ms' })),
          aggregate({
            count: count(),
            total: reduce(0, (total: number, { amount }: Sale) => {
              if (total > 0 && amount === 9) throw new Error('no')
              return total + amount
            }),
          }),
        )
        .to(totals)
    }),
    { skipsFailures: true },
  )
  driver.push(sale(12, 1))
  const before = driver.to('totals').length
  // Falls into the empty window from 0 and into the one from 5, where the callback throws.
  driver.push(sale(7, 9))
  expect(driver.to('totals').length).toBe(before)
  expect(driver.failed.length).toBe(1)
  driver.push(sale(7, 2))
  expect(
    driver
      .to('totals')
      .slice(before)
      .map(({ value }) => value),
  ).toEqual([
    { count: 1, total: 2 },
    { count: 2, total: 3 },
  ])
})
