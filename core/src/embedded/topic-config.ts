import { DECOMPRESSED_BYTES_MAX } from '../batch/batch-reader.ts'
import { COMPRESSIONS } from '../batch/header.ts'
import type { NewTopic, TopicConfig } from '../log.ts'
import {
  anyText,
  bytes,
  checkOptions,
  type Checks,
  count,
  flag,
  group,
  oneOf,
  required,
} from '../options/index.ts'

/** What a topic has unless it is told otherwise: synced before it is acknowledged, kept for ever. */
export const DEFAULT_TOPIC_CONFIG: TopicConfig = {
  durability: 'fsync',
  retentionMs: -1,
  retentionBytes: -1,
  segmentBytes: 256 * 1024 * 1024,
  segmentMs: 7 * 24 * 60 * 60 * 1000,
  cleanup: 'delete',
  compression: 'none',
  maxMessageBytes: 1024 * 1024 + 12,
}

/** A batch beyond it could be written, compressed, and then not be read. */
const MESSAGE_BYTES_MAX = DECOMPRESSED_BYTES_MAX

/** Positions in a segment are 31-bit numbers in Kafka's index files. */
const SEGMENT_BYTES_MAX = 2 ** 31 - 1

/** Partitions that a topic can have. */
export const PARTITIONS_MAX = 10_000

/** What each setting of a topic may be. */
export const topicConfigChecks: Checks<TopicConfig> = {
  durability: oneOf('memory', 'os', 'fsync'),
  retentionMs: count(-1),
  retentionBytes: bytes(-1),
  segmentBytes: bytes(1024, SEGMENT_BYTES_MAX),
  segmentMs: count(1),
  cleanup: oneOf('delete', 'compact', 'compact,delete'),
  compression: oneOf(...COMPRESSIONS),
  maxMessageBytes: bytes(62, MESSAGE_BYTES_MAX),
}

const NEW_TOPIC: Checks<NewTopic> = {
  // By its own rules, which the registry knows.
  name: required(anyText),
  partitions: count(1, PARTITIONS_MAX),
  config: group(topicConfigChecks),
  internal: flag,
}

/** @throws UsageError for a topic that can't be made as described; its name is looked at by others. */
export function checkNewTopic(topic: NewTopic): void {
  checkOptions('createTopic', topic, NEW_TOPIC)
}

/**
 * `changes` on top of `config`; what is undefined stays.
 *
 * @throws UsageError USAGE naming the setting and what it may be.
 */
export function changedConfig(config: TopicConfig, changes: Partial<TopicConfig>): TopicConfig {
  checkOptions("A topic's config", changes, topicConfigChecks)
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  return { ...config, ...(Object.fromEntries(given) as Partial<TopicConfig>) }
}
