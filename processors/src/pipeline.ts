import { UsageError } from '@millrace/core'
import { anything, callback, expecting } from '@millrace/core/options'
import { checkDescription, checkPart, isOfKind } from './check-description.ts'
import { type Plan } from './plan.ts'
import { planPipeline } from './planner.ts'
import type { Source } from './source.ts'
import { NodeStream, type Stream, windowLeftOpen } from './stream.ts'
import type { TimeSpec, Topic } from './topic.ts'
import type { Topology } from './topology.ts'
import { TopologyBuilder } from './topology-builder.ts'

const brand = Symbol.for('millrace.pipeline')

/** A pipeline, described; `run` or the command line starts it. */
export interface Pipeline {
  readonly kind: 'pipeline'
  readonly name: string
  readonly topology: Topology
  /** The stages it runs in. */
  readonly plan: Plan
}

/** What a pipeline is described with. */
export interface PipelineTools {
  /** Begins a stream. */
  readonly from: From
  /** Several streams as one; inside an epoch records are taken in order of time. */
  readonly merge: <K, V>(...streams: readonly Stream<K, V>[]) => Stream<K, V>
}

/** Begins a stream, with a topic or with a source. */
export interface From {
  /** The records of a topic, from its beginning; asked for twice, the stream is the same. */
  <K, V>(topic: Topic<K, V>): Stream<K, V>
  /** The rows of a source, without a key; their time is the moment of reading unless `time` says otherwise. */
  <R>(source: Source<R>, options?: { readonly time?: TimeSpec<R> }): Stream<null, R>
}

/**
 * Describes a pipeline. Nothing runs yet, and importing a script with pipelines has no effect.
 *
 * @param name letters, digits, dots, dashes and underscores; positions and state are kept by it.
 * @throws UsageError PIPELINE_INVALID, DURATION_INVALID when the description can't work.
 */
export function pipeline(name: string, build: (tools: PipelineTools) => void): Pipeline {
  checkName(name)
  checkPart('pipeline', 'its second argument', build, callback)
  const builder = new TopologyBuilder(name)
  build(toolsFor(builder))
  const topology = builder.build()
  const described: Pipeline = { kind: 'pipeline', name, topology, plan: planPipeline(topology) }
  return Object.defineProperty(described, brand, { value: true })
}

/** Whether a value, such as the default export of a script, is a pipeline (of any copy of this package). */
export function isPipeline(value: unknown): value is Pipeline {
  return typeof value === 'object' && value !== null && brand in value
}

const someStream = expecting('a stream, such as from(…)', (value) => value instanceof NodeStream)

const someInput = expecting('a topic or a source, such as csv(…)', (value) =>
  isOfKind(value, ['topic', 'source']),
)

function toolsFor(builder: TopologyBuilder): PipelineTools {
  const from = (
    input: Topic | Source<unknown>,
    options: { readonly time?: TimeSpec<never> } = {},
  ) => {
    checkPart('from', 'its input', input, someInput)
    checkDescription('from', options, { time: anything })
    const node = input.kind === 'topic' ? builder.topic(input) : builder.source(input, options.time)
    return new NodeStream(builder, node)
  }
  const merge = (...streams: readonly NodeStream[]) => {
    for (const stream of streams) checkPart('merge', 'its input', stream, someStream)
    if (streams.length < 2) {
      throw new UsageError('PIPELINE_INVALID', 'merge(...) takes two streams or more.')
    }
    const open = streams.find((stream) => stream.openWindow !== undefined)
    if (open !== undefined) throw windowLeftOpen(open.node, 'merge')
    return new NodeStream(builder, builder.merge(streams.map((stream) => stream.node)))
  }
  // Streams are typed for the user by what they carry; behind that type they are all the same.
  return { from, merge } as unknown as PipelineTools
}

function checkName(name: string): void {
  if (/^[a-zA-Z0-9._-]{1,100}$/.test(name) && !/^\.+$/.test(name)) return
  throw new UsageError(
    'PIPELINE_INVALID',
    `"${name}" can't name a pipeline: use 1 to 100 letters, digits, dots, dashes and underscores.`,
  )
}
