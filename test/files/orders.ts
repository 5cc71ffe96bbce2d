// A pipeline that the tests of this folder kill, freeze and run again: one topic, three kinds of files.
// Argument 1: how many records there are in all; by environment, since `node script.ts` has flags of its own.
import { csv, filter, generate, json, ndjson, parquet, pipeline, topic } from 'millrace'

interface Order {
  readonly id: number
  readonly city: string | null
  readonly at: number
  readonly note: string
}

const orders = topic('orders', { value: json<Order>(), key: 'id', time: 'at', partitions: 2 })
const count = Number(process.env['ORDERS'] ?? 6000)
const rate = Number(process.env['RATE'] ?? 0)
// Small files, so that a run has many commits to be killed in.
const roll = { rollRows: 500, openFilesMax: 3 }

export default pipeline('orders', ({ from }) => {
  from(generate({ count, record: order, ...(rate > 0 && { rate }) })).to(orders)
  from(orders)
    .pipe(filter(({ id }) => id % 2 === 0))
    .to(csv.files('out/csv', { ...roll, partitionBy: { day: { day: 'at' } } }))
  from(orders).to(ndjson.files('out/ndjson', { ...roll, compression: 'gzip' }))
  from(orders).to(parquet.files('out/parquet', { ...roll, partitionBy: 'city' }))
})

function order(id: number): Order {
  const city = ['Lima', 'Oslo', null, 'a/b'][id % 4] ?? null
  return { id, city, at: id * 20_000, note: id % 7 === 0 ? '' : `note "${id}",\nof two lines` }
}
