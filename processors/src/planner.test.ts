import { describe, expect, test } from 'vitest'
import { json, string } from '@millrace/core'
import {
  aggregate,
  count,
  filter,
  flatMap,
  isPipeline,
  keyBy,
  map,
  max,
  pipeline,
  type PipelineTools,
  type Sink,
  type Source,
  topic,
  tumbling,
  window,
} from './index.ts'
import type { Plan, Stage } from './plan.ts'

interface Flight {
  readonly origin: string
  readonly destination: string
  readonly delay: number
}

const flights = topic('flights', { value: json<Flight>(), key: 'origin', partitions: 4 })

function sink(name: string, key?: readonly string[]): Sink<Record<never, unknown>> {
  const open = () => Promise.reject(new Error('not opened in these tests'))
  const base = { kind: 'sink', name, guarantee: 'exactly-once', open } as const
  return key === undefined ? { ...base, mode: 'append' } : { ...base, mode: 'upsert', key }
}

function source(name: string): Source<Flight> {
  const open = () => Promise.reject(new Error('not opened in these tests'))
  return { kind: 'source', name, bounded: true, open }
}

function planOf(build: (tools: PipelineTools) => void): Plan {
  return pipeline('p', build).plan
}

/** `id: inputs > nodes > outputs`, a line per stage. */
function outline(plan: Plan): string[] {
  return plan.stages.map((stage) => {
    const nodes = stage.nodes.map(({ step }) => step.kind).join(' ')
    return `${stage.kind} ${stage.id}: ${inputs(stage)} > ${nodes} > ${outputs(stage)}`
  })
}

const inputs = (stage: Stage) =>
  (stage.kind === 'process' ? stage.inputs : [stage.input])
    .map((input) => (input.kind === 'topic' ? input.topic.name : input.source.name))
    .join(', ')

const outputs = (stage: Stage) =>
  stage.kind === 'deliver'
    ? stage.sink.name
    : stage.outputs.map(({ topic: { name }, partition }) => `${name} by ${partition}`).join(', ')

describe('a stage commits in one place', () => {
  test('topic to sink without state is one stage, without an internal topic', () => {
    const plan = planOf(({ from }) => {
      from(flights)
        .pipe(filter((f) => f.delay > 0))
        .to(sink('db'))
    })
    expect(outline(plan)).toEqual(['deliver to-db: flights > filter > db'])
    expect(plan.internalTopics).toEqual([])
  })

  test('state and a sink: a topic between them', () => {
    const plan = planOf(({ from }) => {
      from(source('file')).to(flights)
      from(flights)
        .pipe(window(tumbling('1h')), count())
        .to(sink('db'))
    })
    expect(outline(plan)).toEqual([
      'ingest from-file: file >  > flights by key',
      'process flights: flights > count > p-flights-by-origin-1h-results by task',
      'deliver to-db: p-flights-by-origin-1h-results >  > db',
    ])
    expect(
      plan.internalTopics.map(({ topic: { name }, purpose, partitionsLike }) => [
        name,
        purpose,
        partitionsLike,
      ]),
    ).toEqual([
      ['p-flights-by-origin-1h-changelog', 'changelog', ['flights']],
      ['p-flights-by-origin-1h-results', 'hand-over', ['flights']],
    ])
  })

  test('one topic to two sinks: each reads it by itself', () => {
    const plan = planOf(({ from }) => {
      from(flights).to(sink('one'))
      from(flights)
        .pipe(map((f) => f))
        .to(sink('two'))
    })
    expect(outline(plan)).toEqual([
      'deliver to-one: flights >  > one',
      'deliver to-two: flights > map > two',
    ])
  })

  test('a stream that forks to two sinks runs once; each sink has a topic of its own', () => {
    const plan = planOf(({ from }) => {
      const late = from(flights).pipe(filter((f) => f.delay > 15))
      late.to(sink('one'))
      late.to(sink('two'))
    })
    expect(outline(plan)).toEqual([
      'process flights: flights > filter > p-one-rows by task, p-two-rows by task',
      'deliver to-one: p-one-rows >  > one',
      'deliver to-two: p-two-rows >  > two',
    ])
  })

  test('a source straight to a sink goes through a topic', () => {
    const plan = planOf(({ from }) => from(source('file')).to(sink('db')))
    expect(outline(plan)).toEqual([
      'ingest from-file: file >  > p-db-rows by key',
      'deliver to-db: p-db-rows >  > db',
    ])
  })

  test('merged topics are one stage', () => {
    const others = topic('others', { value: json<Flight>(), key: 'origin' })
    const plan = planOf(({ from, merge }) => {
      merge(from(flights), from(others), from(source('file')).pipe(keyBy('origin')))
        .pipe(count())
        .to(topic('counts', { value: json<{ count: number }>() }))
    })
    const [first, second, third] = outline(plan)
    expect(first).toBe('ingest from-file: file > keyBy > p-file.keyBy-rows by key')
    expect(second).toContain('process flights: flights, others, p-file.keyBy-rows > merge >')
    expect(third).toContain('count > counts by key')
  })
})

describe('repartition', () => {
  const counts = topic('counts', { value: json<{ count: number }>() })
  const kinds = (plan: Plan) => plan.internalTopics.map((internal) => internal.purpose)

  test('when the key changes and state follows', () => {
    const plan = planOf(({ from }) => {
      from(flights).pipe(keyBy('destination'), count()).to(counts)
    })
    expect(outline(plan)).toEqual([
      'process flights: flights > keyBy > p-flights-by-destination-repartition by key',
      'process flights-by-destination-repartition: p-flights-by-destination-repartition > count > counts by key',
    ])
  })

  test('not when no state follows', () => {
    const plan = planOf(({ from }) =>
      from(flights)
        .pipe(keyBy('destination'))
        .to(topic('by-destination', { value: json<Flight>() })),
    )
    expect(kinds(plan)).toEqual([])
  })

  test('not when the key stays the same', () => {
    const same = planOf(({ from }) => {
      from(flights)
        .pipe(
          filter((f) => f.delay > 0),
          keyBy('origin'),
          count(),
        )
        .to(counts)
    })
    expect(kinds(same)).toEqual(['changelog'])
    const maybeNot = planOf(({ from }) => {
      from(flights)
        .pipe(
          map((f) => ({ ...f })),
          keyBy('origin'),
          count(),
        )
        .to(counts)
    })
    expect(kinds(maybeNot)).toEqual(['repartition', 'changelog'])
  })
})

describe('only the last change of each key in an epoch', () => {
  const lastPerKey = (build: (tools: PipelineTools) => void) => {
    const [stage] = planOf(build).stages
    if (stage?.kind !== 'process') throw new Error('a process stage comes first')
    return [
      ...stage.nodes.map((node) => node.lastPerKey),
      ...stage.outputs.map((output) => output.lastPerKey),
    ]
  }

  test('goes to a sink that keeps one row per key and window', () => {
    const results = lastPerKey(({ from }) => {
      from(flights)
        .pipe(window(tumbling('1h')), count())
        .to(sink('db', ['origin', 'window_start']))
    })
    expect(results).toEqual([true, true])
  })

  test.each<[string, Sink<Record<never, unknown>>, boolean[]]>([
    ['a sink that appends sees every change', sink('db'), [false, false]],
    [
      'a sink with a coarser key sees the last of each finer one',
      sink('db', ['origin']),
      [false, true],
    ],
    [
      'a sink whose rows are told apart by values sees every change',
      sink('db', ['origin', 'count']),
      [false, false],
    ],
  ])('%s', (_, target, expected) => {
    const results = lastPerKey(({ from }) => {
      from(flights)
        .pipe(window(tumbling('1h')), count())
        .to(target)
    })
    expect(results).toEqual(expected)
  })
})

test('every row of a forked or multiplied stream reaches its sink', () => {
  const outputs = (build: (tools: PipelineTools) => void) =>
    planOf(build).stages.flatMap((stage) => (stage.kind === 'process' ? stage.outputs : []))
  const forked = outputs(({ from }) => {
    const late = from(flights).pipe(filter((f) => f.delay > 15))
    late.to(sink('one', ['origin']))
    late.to(sink('two', ['origin']))
  })
  const multiplied = outputs(({ from }) => {
    from(flights)
      .pipe(
        count(),
        flatMap(({ count: n }) => [n, n]),
      )
      .to(sink('db', ['origin']))
  })
  expect([...forked, ...multiplied].map((output) => output.lastPerKey)).toEqual([
    false,
    false,
    false,
  ])
})

describe('names', () => {
  test('of state and topics stay when other operators are added', () => {
    const counts = topic('counts', { value: json<{ count: number }>() })
    const names = (plan: Plan) => [
      ...plan.internalTopics.map((internal) => internal.topic.name),
      ...plan.stages.map((stage) => stage.id),
    ]
    const before = planOf(({ from }) => {
      from(flights)
        .pipe(keyBy('destination'), window(tumbling('1h')), count())
        .to(counts)
    })
    const after = planOf(({ from }) => {
      from(flights).to(sink('raw'))
      from(flights)
        .pipe(
          filter((f) => f.delay > 0),
          keyBy('destination'),
          map((f) => f),
          window(tumbling('1h')),
          count(),
          filter((c) => c.count > 1),
        )
        .to(counts)
    })
    expect(names(after)).toEqual(expect.arrayContaining(names(before)))
  })
})

describe('a pipeline that can’t work is refused when it is described', () => {
  const counts = topic('counts', { value: json<{ count: number }>() })
  const keyless = topic('keyless', { value: json<Flight>() })
  const byText = topic('by-text', { value: json<Flight>(), key: string })

  test.each<[string, (tools: PipelineTools) => void]>([
    ['keyless have none. Put keyBy', ({ from }) => from(keyless).pipe(count()).to(counts)],
    [
      'followed by filter; put aggregate',
      ({ from }) =>
        from(flights)
          .pipe(
            window(tumbling('1h')),
            filter(() => true),
          )
          .to(counts as never),
    ],
    [
      'followed by to counts',
      ({ from }) =>
        from(flights)
          .pipe(window(tumbling('1h')))
          .to(counts as never),
    ],
    [
      'window(...) follows window(...)',
      ({ from }) =>
        from(flights)
          .pipe(window(tumbling('1h')), window(tumbling('1d')), count())
          .to(counts as never),
    ],
    [
      'already has window_start',
      ({ from }) =>
        from(flights)
          .pipe(window(tumbling('1h')), count(), window(tumbling('1d')), count())
          .to(counts),
    ],
    [
      'two aggregates would keep their state as "flights-by-origin"',
      ({ from }) => {
        from(flights).pipe(count()).to(counts)
        from(flights)
          .pipe(
            filter((f) => f.delay > 0),
            count(),
          )
          .to(counts)
      },
    ],
    [
      'two things are named "x"',
      ({ from }) =>
        from(flights)
          .pipe(
            filter(() => true, { name: 'x' }),
            map((f) => f, { name: 'x' }),
          )
          .to(flights),
    ],
    [
      'two streams end in db',
      ({ from }) => {
        from(flights).to(sink('db'))
        from(byText).to(sink('db'))
      },
    ],
    ['leads nowhere', ({ from }) => void from(flights).pipe(filter(() => true))],
    ['it is empty', () => {}],
    [
      'is described twice',
      ({ from }) => {
        from(flights).to(counts as never)
        from(topic('flights', { value: json<Flight>() })).to(counts as never)
      },
    ],
    [
      'merge takes streams of one key, but flights has origin and by-text has key',
      ({ from, merge }) => merge(from(flights) as never, from(byText) as never).to(counts as never),
    ],
    [
      'db needs the column "orgin", but its rows have origin, window_start, window_end, count',
      ({ from }) =>
        from(flights)
          .pipe(window(tumbling('1h')), aggregate({ count: count() }))
          .to(sink('db', ['orgin'])),
    ],
  ])('%s', (message, build) => {
    expect(() => planOf(build)).toThrow(message)
  })

  test('state with a name of its own may stand beside other state', () => {
    const plan = planOf(({ from }) => {
      from(flights).pipe(count()).to(counts)
      from(flights)
        .pipe(aggregate({ worst: max((f) => f.delay) }, { name: 'worst' }))
        .to(topic('worst', { value: json<{ worst: number }>() }))
    })
    expect(plan.internalTopics.map((internal) => internal.topic.name)).toEqual([
      'p-flights-by-origin-changelog',
      'p-worst-changelog',
    ])
  })

  test.each(['', 'a b', '..', 'ü'])('the name "%s"', (name) => {
    expect(() => pipeline(name, ({ from }) => from(flights).to(flights))).toThrow(
      "can't name a pipeline",
    )
    expect(() => topic(name, { value: json() })).toThrow("can't name a topic")
  })
})

test('a pipeline is known as one; other values are not', () => {
  expect(isPipeline(pipeline('p', ({ from }) => from(flights).to(flights)))).toBe(true)
  expect([undefined, null, {}, { kind: 'pipeline' }, () => {}].some(isPipeline)).toBe(false)
})
