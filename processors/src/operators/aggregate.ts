import { type Column, UsageError } from '@millrace/core'
import { callback, recordOf, withMethods } from '@millrace/core/options'
import type { Aggregate, Results } from '../aggregates/aggregate.ts'
import { type GroupedAggregate, groupAggregates, singleAggregate } from '../aggregates/grouped.ts'
import type { DurableStore } from '../state/store.ts'
import { checkCallback, checkDescription, checkPart, NAMED } from '../check-description.ts'
import { durationText } from '../windows/duration.ts'
import { windowsText } from '../windows/windows.ts'
import type { Windowed, WindowBounds } from '../windows/windowed-key.ts'
import { groupRecords } from './group.ts'
import type { Operator, Step, WindowUse } from './operator.ts'

/** The key that aggregates leave with: that of the group, and its window's bounds. */
export type GroupKey<K> = K extends Windowed<infer Inner> ? Inner & WindowBounds : K

/** What `aggregate` and `reduce` can be told. */
export interface AggregateOptions {
  /** Names the state; needed when another aggregate has the same topic, key and window. */
  readonly name?: string
}

const results = recordOf(withMethods('an aggregate, such as count()', 'start', 'add', 'result'))

/**
 * Sums up the records of each key, in each window if `window(...)` comes just before. Leaves with the
 * key (and `window_start`, `window_end`) and a value of the names given; its time is the greatest of
 * the group's records.
 *
 * Records without a key are left out and counted.
 */
export function aggregate<K, V, S extends Readonly<Record<string, Aggregate<V, unknown>>>>(
  aggregates: S & Readonly<Record<string, Aggregate<V, unknown>>>,
  options: AggregateOptions = {},
): Operator<K, V, GroupKey<K>, Results<S>> {
  checkPart('aggregate', 'its results', aggregates, results)
  checkDescription('aggregate', options, NAMED)
  if (Object.keys(aggregates).length === 0) {
    throw new UsageError(
      'PIPELINE_INVALID',
      'aggregate({}) sums up nothing; name at least one result, such as { records: count() }.',
    )
  }
  const grouped = groupAggregates(aggregates as Readonly<Record<string, Aggregate<never, unknown>>>)
  return groupingOperator('aggregate', grouped, options)
}

/**
 * Counts. In `pipe(...)`: the records of each key and window, as `{ count }`. In `aggregate({...})`:
 * records, or those for which `of` gives something other than null and undefined.
 */
export function count<K, V>(
  of?: (value: V) => unknown,
): Operator<K, V, GroupKey<K>, { readonly count: number }> & Aggregate<V, number> {
  if (of !== undefined) checkCallback('count', of)
  const counting: Aggregate<V, number> = {
    kind: 'count',
    width: 1,
    columnType: 'int64',
    start(cells, at) {
      cells[at] = 0
    },
    add(cells, at, value) {
      if (of !== undefined && (of(value) ?? null) === null) return
      cells[at] = (cells[at] as number) + 1
    },
    result: (cells, at) => cells[at] as number,
  }
  return { ...groupingOperator('count', groupAggregates({ count: counting }), {}), ...counting }
}

/**
 * Folds values one by one into `initial`. In `pipe(...)`: the result is the stream's value. In
 * `aggregate({...})`: one of its results. What is accumulated must be plain data.
 */
export function reduce<K, V, A>(
  initial: A,
  fold: (accumulated: A, value: V) => A,
  options: AggregateOptions = {},
): Operator<K, V, GroupKey<K>, A> & Aggregate<V, A> {
  checkPart('reduce', 'its second argument', fold, callback)
  checkDescription('reduce', options, NAMED)
  const folding: Aggregate<V, A> = {
    kind: 'reduce',
    width: 1,
    start(cells, at) {
      // A copy: a fold that changes its accumulator would else change every group's.
      cells[at] = structuredClone(initial)
    },
    add(cells, at, value) {
      cells[at] = fold(cells[at] as A, value)
    },
    result: (cells, at) => cells[at] as A,
  }
  const single = singleAggregate(folding as Aggregate<never, unknown>)
  return { ...groupingOperator('reduce', single, options), ...folding }
}

function groupingOperator<K, V, R>(
  kind: string,
  grouped: GroupedAggregate,
  { name }: AggregateOptions,
): Operator<K, V, GroupKey<K>, R> {
  return { apply: ({ window }) => groupingStep(kind, name, grouped, window) }
}

const WINDOW_COLUMNS: readonly Column[] = [
  { name: 'window_start', type: 'timestamp', nullable: false },
  { name: 'window_end', type: 'timestamp', nullable: false },
]

function groupingStep(
  kind: string,
  name: string | undefined,
  grouped: GroupedAggregate,
  window: WindowUse | undefined,
): Step {
  const windows = window?.windows
  const emit = window?.emit ?? 'update'
  const names = grouped.names.join(', ')
  const text = windows === undefined ? '' : `${windowsText(windows)}, emit ${emit}`
  return {
    kind,
    name,
    detail: [text, names].filter((part) => part !== '' && part !== kind).join('; ') || undefined,
    columns: grouped.columns,
    aside: window?.late,
    state: {
      shape: `${windows === undefined ? 'by key' : windowsText(windows)}; ${grouped.shape}`,
      suffix: windows && windowSuffix(windows),
      addsToKey: windows === undefined ? [] : WINDOW_COLUMNS,
    },
    compile: (scope) =>
      groupRecords(scope, scope.store as DurableStore<[number, ...unknown[]]>, {
        aggregate: grouped,
        windows,
        emit,
      }),
  }
}

function windowSuffix({ sizeMs, advanceMs }: NonNullable<WindowUse['windows']>): string {
  const size = durationText(sizeMs)
  return advanceMs === sizeMs ? size : `${size}-every-${durationText(advanceMs)}`
}
