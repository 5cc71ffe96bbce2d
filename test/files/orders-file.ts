// Reads a file of orders that holds lines which are none.
import { json, ndjson, pipeline, topic } from 'millrace'

const orders = topic('orders', { value: json<{ id: number }>() })

export default pipeline('orders', ({ from }) => {
  from(ndjson<{ id: number }>('orders.ndjson')).to(orders)
  from(orders).to(ndjson.files('out', { rollRows: 2000 }))
})
