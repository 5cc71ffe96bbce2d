// 05 Partitions by a criterion of your own: big orders get a partition to themselves.
// npx node examples/05-custom-partitioner.ts && npx millrace topic describe orders
import { generate, json, pipeline, topic } from 'millrace'

interface Order {
  readonly customer: string
  readonly total: number
}

const orders = topic('orders', {
  value: json<Order>(),
  key: 'customer',
  partitions: 4,
  // From 0 to below partitionCount; without this, Kafka's hash of the key decides.
  partitionBy: (_key, order, partitionCount) =>
    order.total >= 1000 ? partitionCount - 1 : Math.floor(order.total) % (partitionCount - 1),
})

export default pipeline('take-orders', ({ from }) => {
  from(
    generate<Order>({
      count: 10_000,
      record: (index, random) => ({ customer: `c${index % 100}`, total: random() * 1100 }),
    }),
  ).to(orders)
})
