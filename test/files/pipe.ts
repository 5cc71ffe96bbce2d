// Lines of JSON in, CSV out.
import { console, json, map, ndjson, pipeline, topic } from 'millrace'

const numbers = topic('numbers', { value: json<{ id: number }>() })

export default pipeline('pipe', ({ from }) => {
  from(ndjson<{ id: number }>('-')).to(numbers)
  from(numbers)
    .pipe(map(({ id }) => ({ id, double: id * 2 })))
    .to(console({ format: 'csv' }))
})
