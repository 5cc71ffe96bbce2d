// Three million real flights: file → topic → table, and → hourly windows per airport → second table.
// `npm run demo` runs it; so does `npx millrace run examples/demo/flights.ts` with a DATABASE_URL.
import { fileURLToPath } from 'node:url'
import {
  aggregate,
  count,
  filter,
  json,
  max,
  parquet,
  pipeline,
  postgres,
  sum,
  topic,
  tumbling,
  window,
} from 'millrace'
import { z } from 'zod'

/** Flights in the United States, January to June 2001, ordered by departure. */
export const flightsFile = fileURLToPath(
  new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
)

/** Only the first so many flights; for short runs. */
export const limit = process.env['DEMO_LIMIT'] ? { limit: Number(process.env['DEMO_LIMIT']) } : {}

/** A flight counts as late from here on. */
export const lateMinutes = 15

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

export default pipeline('flights-demo', ({ from }) => {
  from(parquet<z.infer<typeof Flight>>(flightsFile, limit)).to(flights)

  from(flights).to(postgres.table('flights', { create: true }))

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
    .to(postgres.table('delays_by_hour', { key: ['origin', 'window_start'], create: true }))
})
