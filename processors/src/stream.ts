import { UsageError } from '@millrace/core'
import { expecting } from '@millrace/core/options'
import { checkPart, isOfKind } from './check-description.ts'
import type { Operator, WindowUse } from './operators/operator.ts'
import type { Row } from './operators/record.ts'
import type { Sink } from './sink.ts'
import type { Topic } from './topic.ts'
import type { TopologyBuilder } from './topology-builder.ts'

/** Where a stream may end: a topic or a sink that takes rows of this shape. */
export interface Target<Row> {
  readonly kind: 'topic' | 'sink'
  readonly name: string
  /** Only for the compiler. Never set. */
  readonly accepts?: (row: Row) => void
}

/** Records under way in a pipeline's description: keys of type K, values of type V. */
export interface Stream<K, V> {
  /** Puts operators after each other. The stream itself stays as it is and may be used again. */
  pipe<K1, V1>(a: Operator<K, V, K1, V1>): Stream<K1, V1>
  pipe<K1, V1, K2, V2>(a: Operator<K, V, K1, V1>, b: Operator<K1, V1, K2, V2>): Stream<K2, V2>
  pipe<K1, V1, K2, V2, K3, V3>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
  ): Stream<K3, V3>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
  ): Stream<K4, V4>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
  ): Stream<K5, V5>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5, K6, V6>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
    f: Operator<K5, V5, K6, V6>,
  ): Stream<K6, V6>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5, K6, V6, K7, V7>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
    f: Operator<K5, V5, K6, V6>,
    g: Operator<K6, V6, K7, V7>,
  ): Stream<K7, V7>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5, K6, V6, K7, V7, K8, V8>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
    f: Operator<K5, V5, K6, V6>,
    g: Operator<K6, V6, K7, V7>,
    h: Operator<K7, V7, K8, V8>,
  ): Stream<K8, V8>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5, K6, V6, K7, V7, K8, V8, K9, V9>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
    f: Operator<K5, V5, K6, V6>,
    g: Operator<K6, V6, K7, V7>,
    h: Operator<K7, V7, K8, V8>,
    i: Operator<K8, V8, K9, V9>,
  ): Stream<K9, V9>
  pipe<K1, V1, K2, V2, K3, V3, K4, V4, K5, V5, K6, V6, K7, V7, K8, V8, K9, V9, K10, V10>(
    a: Operator<K, V, K1, V1>,
    b: Operator<K1, V1, K2, V2>,
    c: Operator<K2, V2, K3, V3>,
    d: Operator<K3, V3, K4, V4>,
    e: Operator<K4, V4, K5, V5>,
    f: Operator<K5, V5, K6, V6>,
    g: Operator<K6, V6, K7, V7>,
    h: Operator<K7, V7, K8, V8>,
    i: Operator<K8, V8, K9, V9>,
    j: Operator<K9, V9, K10, V10>,
  ): Stream<K10, V10>
  /**
   * Writes the records to a topic or a sink. Columns are looked for in the key first, then in the
   * value; a column that a sink needs and the stream has not is an error of the compiler.
   */
  to(target: Target<Row<K, V>>): void
}

// Every function has an `apply`: one that was not called, or RxJS's own, would be taken for an operator.
const someOperator = expecting(
  "an operator, such as map(…) (RxJS's own go into rx)",
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'apply' in value &&
    typeof value.apply === 'function',
)

const someTarget = expecting('a topic, or a sink such as postgres.table(…)', (value) =>
  isOfKind(value, ['topic', 'sink']),
)

/** The stream behind a {@link Stream}: a node of a topology in the making. */
export class NodeStream {
  readonly #builder: TopologyBuilder
  /** The node whose records these are. */
  readonly node: string
  readonly #window: WindowUse | undefined

  constructor(builder: TopologyBuilder, node: string, window?: WindowUse) {
    this.#builder = builder
    this.node = node
    this.#window = window
  }

  /** Undefined, or what is wrong with using the stream as it is. */
  get openWindow(): WindowUse | undefined {
    return this.#window
  }

  pipe(...operators: readonly Operator<unknown, unknown, unknown, unknown>[]): NodeStream {
    let { node } = this
    let window = this.#window
    for (const operator of operators) {
      checkPart('pipe', 'its argument', operator, someOperator)
      const step = operator.apply({ window })
      if (step.kind === 'window' && 'windows' in step) {
        window = step
        continue
      }
      if (window !== undefined && !('state' in step)) throw windowLeftOpen(node, step.kind)
      window = undefined
      node = this.#builder.step(node, step as Exclude<typeof step, WindowUse>)
    }
    return new NodeStream(this.#builder, node, window)
  }

  to(target: Topic | Sink<never>): void {
    checkPart('to', 'its target', target, someTarget)
    if (this.#window !== undefined) throw windowLeftOpen(this.node, `to ${target.name}`)
    this.#builder.target(this.node, target)
  }
}

/** A window that nothing sums up. */
export function windowLeftOpen(node: string, next: string): UsageError {
  return new UsageError(
    'PIPELINE_INVALID',
    `window(...) after ${node} is followed by ${next}; put aggregate, count or reduce right after it.`,
  )
}
