// Not the pipeline that the run was started with.
import { generate, json, pipeline, topic } from 'millrace'

export default pipeline('another', ({ from }) => {
  from(generate({ count: 1, record: (n) => ({ n }) })).to(topic('another', { value: json() }))
})
