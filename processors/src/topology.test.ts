import { expect, test } from 'vitest'
import { json } from '@millrace/core'
import {
  aggregate,
  count,
  filter,
  keyBy,
  max,
  pipeline,
  type Sink,
  type Source,
  topic,
  topologyMermaid,
  topologyText,
  tumbling,
  window,
} from './index.ts'

interface Flight {
  readonly origin: string
  readonly destination: string
  readonly delay: number
}

const flights = topic('flights', { value: json<Flight>(), key: 'origin' })
const open = () => Promise.reject(new Error('not opened in these tests'))
const file: Source<Flight> = {
  kind: 'source',
  name: 'parquet flights.parquet',
  bounded: true,
  open,
}
const table: Sink<{ origin: unknown; window_start: unknown }> = {
  kind: 'sink',
  name: 'postgres delays',
  guarantee: 'exactly-once',
  mode: 'upsert',
  open,
  key: ['origin', 'window_start'],
}

const delays = pipeline('delays', ({ from }) => {
  from(file).to(flights)
  const late = from(flights).pipe(filter((f) => f.delay > 15, { name: 'late' }))
  late
    .pipe(
      window(tumbling('1h', { grace: '10m' })),
      aggregate({ flights: count(), worst: max((f) => f.delay) }),
    )
    .to(table)
  late
    .pipe(keyBy('destination'), count())
    .to(topic('arrivals', { value: json<{ count: number }>() }))
})

test('a topology can be read as text', () => {
  expect(topologyText(delays)).toBe(`pipeline delays

from-parquet-flights.parquet: ingest, commits in the log
  parquet flights.parquet
    → flights

flights: process, commits in the log
  flights
    filter "late"
      aggregate (tumbling 1h, grace 10m, emit update; flights, worst) [state flights-by-origin-1h]
      → delays-flights-by-origin-1h-results (internal, last per key)
      keyBy (destination)
      → delays-flights-by-destination-repartition (internal)

flights-by-destination-repartition: process, commits in the log
  delays-flights-by-destination-repartition
    count [state flights-by-destination]
    → arrivals

to-postgres-delays: deliver, commits in postgres delays
  delays-flights-by-origin-1h-results
    → postgres delays (upsert, exactly-once)
`)
})

test('a topology can be drawn', () => {
  expect(topologyMermaid(delays)).toBe(`flowchart LR
  n1[\\"parquet flights.parquet"\\]
  n2[("flights")]
  n7[("delays-flights-by-origin-1h-results")]
  n8[("delays-flights-by-destination-repartition")]
  n11[("arrivals")]
  n12[/"postgres delays"/]
  subgraph n3["flights"]
    n4["late"]
    n5["aggregate: tumbling 1h, grace 10m, emit update; flights, worst<br>state flights-by-origin-1h"]
    n6["keyBy: destination"]
  end
  subgraph n9["flights-by-destination-repartition"]
    n10["count<br>state flights-by-destination"]
  end
  n1 --> n2
  n2 --> n4
  n4 --> n5
  n4 --> n6
  n5 --> n7
  n6 --> n8
  n8 --> n10
  n10 --> n11
  n7 --> n12
`)
})
