// 03 Windows of event time: Seattle's days, counted by weather, four weeks at a time.
// npx node examples/03-count-per-window.ts --final (else the last windows stay open for more)
import { fileURLToPath } from 'node:url'
import {
  aggregate,
  console,
  count,
  csv,
  json,
  max,
  pipeline,
  topic,
  tumbling,
  window,
} from 'millrace'

interface Day {
  readonly date: string
  readonly weather: string
  readonly temp_max: number
}

const file = fileURLToPath(
  new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets')),
)

// The same key is counted together; `date` says when a record happened.
const days = topic('days', { value: json<Day>(), key: 'weather', time: 'date' })

export default pipeline('seattle', ({ from }) => {
  from(csv<Day>(file)).to(days)

  from(days)
    .pipe(
      // A day late is still in time. Each window comes out once, when it closes.
      window(tumbling('28d', { grace: '1d' }), { emit: 'final' }),
      aggregate({ days: count(), warmest: max((day) => day.temp_max) }),
    )
    .to(console())
})
