// Counts rows whose times name no zone in windows of several kinds, and prints what came of it.
import {
  aggregate,
  console,
  count,
  csv,
  hopping,
  json,
  open,
  pipeline,
  run,
  topic,
  tumbling,
  window,
} from 'millrace'

interface Row {
  readonly place: string
  readonly at: string
}

const [directory = '', file = ''] = process.argv.slice(2)
const rows = topic('rows', { value: json<Row>(), key: 'place', time: 'at' })
const kinds = [tumbling('1h'), tumbling('1d'), hopping('1d', { advance: '6h' })]

const log = await open(directory)
const build = pipeline('zones', ({ from }) => {
  from(csv<Row>(file)).to(rows)
  for (const [index, windows] of kinds.entries()) {
    from(rows)
      .pipe(window(windows, { emit: 'final' }), aggregate({ rows: count() }))
      .to(console({ name: `windows-${index}` }))
  }
})
await run(build, { log, final: true })
await log.close()
