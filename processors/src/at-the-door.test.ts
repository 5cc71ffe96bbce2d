import { json, open, UsageError } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { map as rxMap } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { max } from './aggregates/extremes.ts'
import { mean, sum } from './aggregates/numbers.ts'
import { aggregate, count, reduce } from './operators/aggregate.ts'
import { filter } from './operators/filter.ts'
import { flatMap } from './operators/flat-map.ts'
import { keyBy } from './operators/key-by.ts'
import { map } from './operators/map.ts'
import { mapAsync } from './operators/map-async.ts'
import { tap } from './operators/tap.ts'
import { window } from './operators/window.ts'
import { pipeline, type PipelineTools } from './pipeline.ts'
import { redrive } from './runtime/dead-letter-redrive.ts'
import { run } from './runtime/run.ts'
import { topic } from './topic.ts'
import { hopping, tumbling } from './windows/windows.ts'

// What Node would run: the compiler refuses most of it.
type Bad = Record<string, unknown>
const bad = (value: unknown): never => value as never

const sales = topic('sales', { value: json<{ shop: string }>(), key: 'shop' })
const described = pipeline('p', ({ from }) => from(sales).to(topic('out', { value: json() })))
const later = async (value: unknown): Promise<unknown> => value

function refusal(act: () => unknown): { code: string; message: string } | string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    const { code, message } = error as UsageError
    return { code, message }
  }
  return 'it was taken'
}

describe('an operator is not made', () => {
  test.each<[() => unknown, string]>([
    [
      () => mapAsync(later, bad({ timeoutMs: NaN })),
      'mapAsync: timeoutMs must be a number of milliseconds, from 1 to 2147483647, not NaN.',
    ],
    [
      () => mapAsync(later, { retry: { attempts: -1 } }),
      'mapAsync: retry.attempts must be a whole number of at least 0, not -1.',
    ],
    [
      () => mapAsync(later, bad({ retry: { attempt: 3 } })),
      'mapAsync: retry has no option "attempt". Did you mean "attempts"?',
    ],
    [
      () => mapAsync(later, bad({ retry: {} })),
      'mapAsync: retry.attempts is missing: it must be a whole number of at least 0.',
    ],
    [
      () => mapAsync(later, { concurrency: 0 }),
      'mapAsync: concurrency must be a whole number of at least 1, not 0.',
    ],
    [
      () => mapAsync(later, bad({ order: 'keys' })),
      'mapAsync: order must be one of input, key, none, not "keys". Did you mean "key"?',
    ],
    [
      () => mapAsync(later, bad({ onError: 'ignore' })),
      'mapAsync: onError must be one of fail, skip, or a function, not "ignore".',
    ],
    [
      () => mapAsync(bad(undefined)),
      'mapAsync: its first argument is missing: it must be a function.',
    ],
    [() => map(bad({})), 'map: its first argument must be a function, not an object.'],
    [() => filter(bad(/x/)), 'filter: its first argument must be a function, not an object.'],
    [
      () => flatMap(bad(undefined)),
      'flatMap: its first argument is missing: it must be a function.',
    ],
    [() => tap(bad('look')), 'tap: its first argument must be a function, not "look".'],
    [() => tap(() => {}, bad({ nmae: 'x' })), 'tap has no option "nmae". Did you mean "name"?'],
    [
      () => keyBy(bad(5)),
      'keyBy: key must be a name, a list of names, or an object of functions, not 5.',
    ],
    [
      () => window(tumbling('1h'), bad({ emit: 'x' })),
      'window: emit must be one of update, final, not "x".',
    ],
    [
      () => window(bad('1h')),
      'window: its first argument must be tumbling(…) or hopping(…), not "1h".',
    ],
    [
      () => window(tumbling('1h'), bad({ late: 'late' })),
      'window: late must be a topic, made by topic(…), not "late".',
    ],
    [
      () => hopping('10s', bad(undefined)),
      "hopping: advance is missing: it must be a duration, such as '1m'.",
    ],
    [
      () => tumbling('1h', bad({ gracePeriod: '1m' })),
      'tumbling has no option "gracePeriod". It has grace.',
    ],
    [
      () => aggregate({ n: bad(count) }),
      'aggregate: its results.n must be an aggregate, such as count(), not a function.',
    ],
    [() => sum(bad('delay')), 'sum: its first argument must be a function, not "delay".'],
    [() => mean(bad(undefined)), 'mean: its first argument is missing: it must be a function.'],
    [() => max(bad(undefined)), 'max: its first argument is missing: it must be a function.'],
    [() => count(bad('x')), 'count: its first argument must be a function, not "x".'],
    [
      () => reduce(0, bad(undefined)),
      'reduce: its second argument is missing: it must be a function.',
    ],
  ])('%#: %s', (make, message) => {
    expect(refusal(make)).toEqual({ code: 'PIPELINE_INVALID', message })
  })
})

describe('a topic is not described', () => {
  test.each<[Bad | undefined, string]>([
    [{}, 'Topic x: value is missing: it must be a serde, such as json().'],
    [undefined, 'Topic x: value is missing: it must be a serde, such as json().'],
    [{ value: json }, 'Topic x: value must be a serde, such as json(), not a function.'],
    [
      { value: json(), key: 7 },
      'Topic x: key must be a name, a list of names, or an object of functions, not 7.',
    ],
    [
      { value: json(), time: 5 },
      'Topic x: time must be text that is not empty, or a function, not 5.',
    ],
    [
      { value: json(), partition: 4 },
      'Topic x has no option "partition". Did you mean "partitions"?',
    ],
    [
      { value: json(), config: { retention: '7d' } },
      'Topic x: config has no option "retention". Did you mean "retentionMs"?',
    ],
    [
      { value: json(), config: { compression: 'lzma' } },
      'Topic x: config.compression must be one of none, gzip, snappy, lz4, zstd, not "lzma". Did you mean "lz4"?',
    ],
  ])('with %o', (options, message) => {
    expect(refusal(() => topic('x', bad(options)))).toEqual({ code: 'PIPELINE_INVALID', message })
  })
})

describe('a pipeline is not described', () => {
  test.each<[(tools: PipelineTools) => unknown, string]>([
    [
      ({ from }) => from(bad('sales')),
      'from: its input must be a topic or a source, such as csv(…), not "sales".',
    ],
    [
      ({ from }) => from(sales).pipe(bad(map)),
      "pipe: its argument must be an operator, such as map(…) (RxJS's own go into rx), not a function.",
    ],
    [
      ({ from }) => from(sales).pipe(bad(rxMap((x) => x))),
      "pipe: its argument must be an operator, such as map(…) (RxJS's own go into rx), not a function.",
    ],
    [
      ({ from }) => from(sales).to(bad('out')),
      'to: its target must be a topic, or a sink such as postgres.table(…), not "out".',
    ],
    [
      ({ from, merge }) => merge(from(sales), bad(sales)),
      'merge: its input must be a stream, such as from(…), not an object.',
    ],
  ])('%#: %s', (build, message) => {
    const made = refusal(() => pipeline('p', (tools) => void build(tools)))
    expect(made).toEqual({ code: 'PIPELINE_INVALID', message })
  })

  test('without what describes it', () => {
    expect(refusal(() => pipeline('p', bad(undefined)))).toMatchObject({
      message: 'pipeline: its second argument is missing: it must be a function.',
    })
  })
})

describe('a run does not begin', () => {
  test.each<[Bad, string]>([
    [{ threads: 0 }, 'threads must be a whole number of at least 1, not 0.'],
    [{ connections: 0 }, 'connections must be a whole number of at least 1, not 0.'],
    [{ onError: 'ignore' }, 'onError must be one of fail, skip, dead-letter, not "ignore".'],
    [
      { onError: 'deadletter' },
      'onError must be one of fail, skip, dead-letter, not "deadletter". Did you mean "dead-letter"?',
    ],
    [
      { deadLettersMax: -1 },
      'deadLettersMax must be a whole number of at least 0, or Infinity, not -1.',
    ],
    [{ follow: 'yes' }, 'follow must be true or false, not "yes".'],
    [{ signal: 'SIGINT' }, 'signal must be an AbortSignal, not "SIGINT".'],
    [{ log: undefined }, 'log is missing: it must be a log, such as await open().'],
  ])('with %o', async (options, message) => {
    const log = await open('/data', { ports: simulatedPorts() })
    const running = run(described, bad({ log, ...options }))
    await expect(running).rejects.toMatchObject({ code: 'USAGE', message: `run: ${message}` })
    expect(await log.listTopics()).toEqual([])
    await log.close()
  })

  test('with an option that there is not, or of what is no pipeline', async () => {
    const log = await open('/data', { ports: simulatedPorts() })
    await expect(run(described, bad({ log, thread: 2 }))).rejects.toThrow(
      'run has no option "thread". Did you mean "threads"?',
    )
    await expect(run(bad({ name: 'p' }), { log })).rejects.toThrow(
      'run: its pipeline must be what pipeline(…) gives, not an object.',
    )
    await expect(redrive(log, 'p-dead-letters', bad({ dryRun: true }))).rejects.toThrow(
      'redrive has no option "dryRun". Did you mean "isDryRun"?',
    )
    await log.close()
  })
})
