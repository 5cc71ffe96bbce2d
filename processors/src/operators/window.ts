import { UsageError } from '@millrace/core'
import { type Checks, expecting, oneOf } from '@millrace/core/options'
import { checkDescription, checkPart, isOfKind } from '../check-description.ts'
import type { Target } from '../stream.ts'
import type { Topic } from '../topic.ts'
import type { TimeWindows } from '../windows/windows.ts'
import type { Operator } from './operator.ts'
import type { Row } from './record.ts'
import type { Windowed } from '../windows/windowed-key.ts'

/** When a window's results leave, and where records go that came too late for it. */
export interface WindowUseOptions<K, V> {
  /** `update` (default): every change of a window leaves. `final`: each window leaves once, when it closes. */
  readonly emit?: 'update' | 'final'
  /** A topic for records that came too late for at least one of their windows. */
  readonly late?: Target<Row<K, V>> & Topic
}

const CHECKS: Checks<WindowUseOptions<never, never>> = {
  emit: oneOf('update', 'final'),
  late: expecting('a topic, made by topic(…)', (value) => isOfKind(value, ['topic'])),
}

const someWindows = expecting('tumbling(…) or hopping(…)', (value) =>
  isOfKind(value, ['tumbling', 'hopping']),
)

/** Divides each key's records by event time; `aggregate`, `count` or `reduce` must follow. */
export function window<K, V>(
  windows: TimeWindows,
  options: WindowUseOptions<K, V> = {},
): Operator<K, V, Windowed<K>, V> {
  checkPart('window', 'its first argument', windows, someWindows)
  checkDescription('window', options, CHECKS)
  return {
    apply: (before) => {
      if (before.window !== undefined) {
        throw new UsageError(
          'PIPELINE_INVALID',
          'window(...) follows window(...); put an aggregate, count or reduce between them.',
        )
      }
      return { kind: 'window', windows, emit: options.emit ?? 'update', late: options.late }
    },
  }
}
