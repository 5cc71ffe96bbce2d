import type { Sink } from '@millrace/processors'
import { expectTypeOf, test } from 'vitest'
import { postgres } from './postgres.ts'

test('a sink asks for the columns that its options name, of every row', () => {
  const sink = postgres.table('t', { key: ['origin', 'window_start'], merge: { n: 'add' } })
  expectTypeOf(sink).toEqualTypeOf<
    Sink<Readonly<Record<'origin' | 'window_start' | 'n', unknown>>>
  >()
  expectTypeOf(postgres.table('t')).toEqualTypeOf<Sink<Readonly<Record<never, unknown>>>>()
  expectTypeOf(postgres('postgres://h/d').table('t', { key: 'id' })).toEqualTypeOf<
    Sink<Readonly<Record<'id', unknown>>>
  >()
})

test('rows without one of them do not fit', () => {
  const sink = postgres.table('t', { key: 'id', columns: ['v'] })
  type Rows<S> = S extends Sink<infer Row> ? Row : never
  expectTypeOf<{ id: number; v: string; more: boolean }>().toExtend<Rows<typeof sink>>()
  expectTypeOf<{ id: number }>().not.toExtend<Rows<typeof sink>>()
})
