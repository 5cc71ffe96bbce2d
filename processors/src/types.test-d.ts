// Checked by the compiler, never run: what a pipeline's types let through and what they refuse.
import { int64, json, string } from '@millrace/core'
import {
  aggregate,
  count,
  filter,
  flatMap,
  keyBy,
  map,
  mapAsync,
  max,
  mean,
  min,
  pipeline,
  reduce,
  rx,
  type Sink,
  type Source,
  sum,
  topic,
  tumbling,
  window,
} from './index.ts'

interface Flight {
  readonly date: Date
  readonly origin: string
  readonly delay: number
  readonly distance: number | null
  readonly id: bigint
}

declare function table<const C extends string>(
  name: string,
  options: { readonly key: readonly C[] },
): Sink<{ readonly [P in C]: unknown }>

declare const parquet: Source<Record<string, unknown>>
declare const ndjson: Source<{ readonly delay: number }>

const flights = topic('flights', {
  value: json<Flight>(),
  key: 'origin',
  time: 'date',
  partitions: 4,
  partitionBy: (_, flight, partitionCount) => flight.delay % partitionCount,
})

export const byFunction = topic('by-day', {
  value: json<Flight>(),
  key: { day: (flight) => flight.date.getUTCDay() },
  time: (flight) => flight.date,
})

// @ts-expect-error a key of a property that is not there
topic('flights', { value: json<Flight>(), key: 'orign' })
// @ts-expect-error time in a property that is not there
topic('flights', { value: json<Flight>(), time: 'data' })
// @ts-expect-error a duration without a unit
tumbling('10')
// @ts-expect-error a unit that is none
tumbling('10 mins')

export default pipeline('types', ({ from, merge }) => {
  from(parquet).to(flights)
  // @ts-expect-error rows that lack columns of the topic
  from(ndjson).to(flights)
  from(ndjson, { time: 'delay' }).to(table('delays', { key: ['delay'] }))

  const hourly = from(flights).pipe(
    filter((f) => f.delay > 15),
    window(tumbling('1h', { grace: '10m' })),
    aggregate({
      flights: count(),
      mean: mean((f) => f.delay),
      worst: max((f) => f.delay),
      far: max((f) => f.distance),
      first: min((f) => f.date),
      total: sum((f) => f.id),
      all: reduce([] as string[], (seen, f) => [...seen, f.origin]),
    }),
  )
  hourly.to(table('delays_by_hour', { key: ['origin', 'window_start', 'window_end', 'mean'] }))
  // @ts-expect-error a column that neither key nor value has
  hourly.to(table('delays_by_hour', { key: ['origin', 'windowstart'] }))
  // @ts-expect-error values of another shape than the topic's
  hourly.to(flights)
  hourly.pipe(
    map((row, { key, timestampMs }) => {
      const exact: [string, Date, number] = [key.origin, key.window_end, timestampMs]
      return { ...row, exact }
    }),
    map((row): [number, number, number, number | null, Date, bigint, string[]] => [
      row.flights,
      row.mean,
      row.worst,
      row.far,
      row.first,
      row.total,
      row.all,
    ]),
  )

  const open = from(flights).pipe(window(tumbling('1h')))
  // @ts-expect-error a window that nothing sums up leads nowhere
  open.to(table('t', { key: ['origin'] }))

  const keyed = from(flights).pipe(keyBy({ day: (f) => f.date.getUTCDay() }), count())
  keyed.to(table('days', { key: ['day', 'count'] }))
  // @ts-expect-error the old key is gone
  keyed.to(table('days', { key: ['origin', 'count'] }))
  // @ts-expect-error a key of a property that is not there
  from(flights).pipe(keyBy('day'))
  from(flights)
    .pipe(keyBy(['origin', 'delay']), count())
    .to(table('t', { key: ['delay', 'count'] }))

  from(topic('by-text', { value: json<Flight>(), key: string }))
    .pipe(count())
    .to(table('t', { key: ['key', 'count'] }))
  from(topic('by-id', { value: json<Flight>(), key: int64 })).pipe(
    map((_, record) => {
      const id: bigint = record.key.key
      return id
    }),
  )

  // A type guard narrows what follows.
  from(flights)
    .pipe(
      filter((f): f is Flight & { readonly distance: number } => f.distance !== null),
      map((f) => ({ far: f.distance * 2 })),
      flatMap((f) => [f.far, f.far]),
      mapAsync(async (far) => ({ far: String(far) })),
      rx((records) => records),
    )
    .to(topic('far', { value: json<{ far: string }>() }))

  merge(from(flights), from(flights)).to(table('t', { key: ['origin'] }))
  // @ts-expect-error streams of different values
  merge(from(flights), keyed)

  // @ts-expect-error a mean of what is no number
  from(flights).pipe(aggregate({ mean: mean((f) => f.origin) }))
})
