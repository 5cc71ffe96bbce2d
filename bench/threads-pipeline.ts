// The pipeline of the demo with its tables replaced by a sink that takes the rows and is done, so that a
// database has no part in the figures.
import {
  aggregate,
  count,
  filter,
  json,
  max,
  parquet,
  pipeline,
  type Sink,
  sum,
  topic,
  tumbling,
  window,
} from 'millrace'
import { z } from 'zod'
import { flightsFile, lateMinutes } from '../examples/demo/flights.ts'

const Flight = z.object({
  date: z.date(),
  delay: z.int(),
  distance: z.int(),
  origin: z.string(),
  destination: z.string(),
})

const flights = topic('flights', {
  value: json(Flight),
  key: 'origin',
  time: 'date',
  partitions: 4,
})

const limit = process.env['BENCH_LIMIT'] ? { limit: Number(process.env['BENCH_LIMIT']) } : {}

export default pipeline('flights-threads', ({ from }) => {
  from(parquet<z.infer<typeof Flight>>(flightsFile, limit)).to(flights)

  from(flights).to(taken('flights', 'append'))

  from(flights)
    .pipe(
      filter((flight) => flight.delay > lateMinutes),
      window(tumbling('1h', { grace: '10m' })),
      aggregate({
        flights: count(),
        delay: sum((flight) => flight.delay),
        worst: max((flight) => flight.delay),
      }),
    )
    .to(taken('delays_by_hour', 'upsert'))
})

/** Takes decoded rows away; commits are its own affair, as they are a table's. */
function taken(name: string, mode: 'append' | 'upsert'): Sink<unknown> {
  return {
    kind: 'sink',
    name: `taken ${name}`,
    guarantee: 'exactly-once',
    mode,
    open: async () => ({
      claim: async () => ({ position: undefined, write: async () => {}, release: async () => {} }),
      close: async () => {},
    }),
  }
}
