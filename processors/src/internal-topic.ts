import { defineSerde } from '@millrace/core'
import { namedKeySerde } from './key.ts'
import { parseRich, stringifyRich } from './state/rich-json.ts'
import type { StreamFacts } from './stream-facts.ts'
import type { Topic } from './topic.ts'

/** A topic that a pipeline makes for itself, for records as `facts` describes them. */
export function internalTopic(name: string, facts: StreamFacts): Topic {
  const keyColumns = facts.keyColumns ?? []
  return {
    kind: 'topic',
    name,
    internal: true,
    partitions: undefined,
    config: {},
    keyColumns,
    key: namedKeySerde(keyColumns),
    value: defineSerde<unknown>({
      name: 'rich json',
      ...(facts.valueColumns && { columns: facts.valueColumns }),
      encode: stringifyRich,
      decode: (buffer, start, end) => parseRich(buffer.toString('utf8', start, end)),
    }),
    timeOf: undefined,
    keyOf: undefined,
    partitionBy: undefined,
  }
}
