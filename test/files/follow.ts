// Follows a log and keeps it in files.
import { json, ndjson, pipeline, topic } from 'millrace'

const entries = topic('entries', { value: json<{ id: number }>() })

export default pipeline('follow', ({ from }) => {
  from(ndjson<{ id: number }>('app.log', { follow: true })).to(entries)
  from(entries).to(ndjson.files('out', { rollRows: 700, rollMs: 500 }))
})
