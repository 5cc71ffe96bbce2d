import { json } from '@millrace/core'
import {
  aggregate,
  count,
  mean,
  pipeline,
  topic,
  topologyText,
  tumbling,
  window,
} from '@millrace/processors'
import type { Sink } from '@millrace/processors'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { postgres } from './postgres.ts'

test('a sink asks for the columns that its options name, of every row', () => {
  const sink = postgres.table('t', { key: ['origin', 'window_start'], merge: { n: 'add' } })
  expectTypeOf(sink).toEqualTypeOf<
    Sink<Readonly<Record<'origin' | 'window_start' | 'n', unknown>>>
  >()
  expectTypeOf(postgres('postgres://h/d').table('t', { key: 'id' })).toEqualTypeOf<
    Sink<Readonly<Record<'id', unknown>>>
  >()
})

test('a pipeline compiles only with columns that its rows have', () => {
  const Flight = z.object({ date: z.date(), delay: z.number(), origin: z.string() })
  const flights = topic('flights', { value: json(Flight), key: 'origin', time: 'date' })
  const delays = pipeline('delays', ({ from }) => {
    from(flights).to(postgres.table('flights'))
    from(flights)
      .pipe(
        window(tumbling('1h', { grace: '10m' })),
        aggregate({ flights: count(), mean: mean((flight) => flight.delay) }),
      )
      .to(postgres.table('delays_by_hour', { key: ['origin', 'window_start'] }))
  })
  expect(topologyText(delays)).toContain('postgres delays_by_hour')

  const wrong = (): unknown =>
    pipeline('wrong', ({ from }) => {
      // @ts-expect-error rows have no such column
      from(flights).to(postgres.table('flights', { columns: ['orgin'] }))
      from(flights)
        .pipe(window(tumbling('1h')), aggregate({ flights: count() }))
        // @ts-expect-error keys have no such column
        .to(postgres.table('delays_by_hour', { key: ['origin', 'window_begin'] }))
    })
  expect(wrong).toBeTypeOf('function')
})
