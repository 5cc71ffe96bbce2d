import { json } from '@millrace/core'
import { expect, test } from 'vitest'
import { aggregate, count, pipeline, type Sink, sum, topic, tumbling, window } from '../index.ts'
import { PipelineTest } from '../testing/index.ts'

interface Sale {
  readonly shop: string
  readonly amount: number
  readonly time: number
}

function table(name: string, key?: readonly string[]): Sink<unknown> {
  return {
    kind: 'sink',
    name,
    guarantee: 'exactly-once',
    mode: key === undefined ? 'append' : 'upsert',
    ...(key !== undefined && { key }),
    open: () => Promise.reject(new Error('a test has no database')),
  }
}

const sales = topic('sales', { value: json<Sale>(), key: 'shop', time: 'time', partitions: 2 })

const sale = (minute: number): Sale => ({ shop: 'a', amount: 1, time: minute * 60_000 })

test('a run refuses state that missed records while its operator was taken out', async () => {
  const hourly = pipeline('p', ({ from }) => {
    from(sales)
      .pipe(window(tumbling('1h')), aggregate({ total: sum(({ amount }) => amount) }))
      .to(table('hourly', ['shop', 'window_start']))
  })
  const both = pipeline('p', ({ from }) => {
    from(sales)
      .pipe(window(tumbling('1h')), aggregate({ total: sum(({ amount }) => amount) }))
      .to(table('hourly', ['shop', 'window_start']))
    from(sales)
      .pipe(aggregate({ sales: count() }))
      .to(table('counts', ['shop']))
  })
  const kit = new PipelineTest(both)
  await kit.send(sales, [sale(0)])
  await kit.flow()
  await kit.send(sales, [sale(1)])
  await kit.flow({ pipeline: hourly })
  await kit.send(sales, [sale(2)])
  await expect(kit.flow()).rejects.toMatchObject({ code: 'TOPOLOGY_CHANGED' })
  await kit.flow({ pipeline: hourly })
})

test('a run refuses state of another kind also after a run without the stage that holds it', async () => {
  const totals = pipeline('p', ({ from }) => {
    from(sales)
      .pipe(aggregate({ total: sum(({ amount }) => amount) }))
      .to(table('totals', ['shop']))
  })
  const none = pipeline('p', ({ from }) => {
    from(sales).to(table('all'))
  })
  const counts = pipeline('p', ({ from }) => {
    from(sales)
      .pipe(aggregate({ sales: count() }))
      .to(table('totals', ['shop']))
  })
  const kit = new PipelineTest(totals)
  await kit.send(sales, [sale(0)])
  await kit.flow()
  await kit.flow({ pipeline: none })
  await expect(kit.flow({ pipeline: counts })).rejects.toMatchObject({ code: 'TOPOLOGY_CHANGED' })
  await kit.flow()
})
