import { json } from '@millrace/core'
import { describe, expect, test } from 'vitest'
import { pipeline } from '../pipeline.ts'
import { PipelineTest } from '../testing/index.ts'
import { topic } from '../topic.ts'
import { filter } from './filter.ts'
import { flatMap } from './flat-map.ts'
import { mapAsync } from './map-async.ts'
import { map } from './map.ts'
import type { Operator } from './operator.ts'

type Sale = { readonly amount: number }
const sales = topic('sales', { value: json<Sale>() })
const results = topic('results', { value: json<unknown>() })

function through(operator: Operator<unknown, Sale, unknown, unknown>): PipelineTest {
  const described = pipeline('p', ({ from }) => {
    from(sales).pipe(operator).to(results)
  })
  return new PipelineTest(described)
}

const later = (sale: Sale): Promise<Sale> => Promise.resolve(sale)
const wrong: readonly (readonly [string, Operator<unknown, Sale, unknown, unknown>])[] = [
  ['map', map(later)],
  ['map', map((sale) => (sale.amount > 1 ? later(sale) : sale))],
  ['map', map(() => Promise.reject(new Error('nobody waits for it')))],
  ['filter', filter((sale) => later(sale).then(() => false) as unknown as boolean)],
  ['flatMap', flatMap((sale) => later(sale) as unknown as Sale[])],
  ['flatMap', flatMap((sale) => [sale, later(sale)])],
]

describe('a function that gives a promise where none is waited for', () => {
  test.each(wrong)('ends the run under every policy, and %s says what to use', async (name, it) => {
    for (const onError of ['fail', 'skip', 'dead-letter'] as const) {
      const kit = through(it)
      await kit.send(sales, [{ amount: 1 }, { amount: 2 }])
      const flow = kit.flow({ onError })
      await expect(flow).rejects.toMatchObject({ code: 'PIPELINE_INVALID' })
      await expect(flow).rejects.toThrow(new RegExp(`^sales.${name}: its function.*mapAsync`))
      expect(await kit.records(results)).toEqual([])
    }
  })

  test('is what mapAsync is for', async () => {
    const kit = through(mapAsync(later))
    await kit.send(sales, [{ amount: 1 }])
    await kit.flow()
    expect((await kit.records(results)).map(({ value }) => value)).toEqual([{ amount: 1 }])
  })
})

test('a value that JSON would write as {} ends the run with its place', async () => {
  const kit = through(map(({ amount }) => ({ amount: new Map([['a', amount]]) })))
  await kit.send(sales, [{ amount: 1 }])
  await expect(kit.flow()).rejects.toThrow(/sales\[0\]@0 cannot be written.*\$\.amount is a Map/)
})
