import { DECOMPRESSED_BYTES_MAX } from '../batch/batch-reader.ts'
import { UsageError } from '../errors.ts'
import type { TopicConfig } from '../log.ts'

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

const CHOICES: Partial<Record<keyof TopicConfig, readonly string[]>> = {
  durability: ['memory', 'os', 'fsync'],
  cleanup: ['delete', 'compact', 'compact,delete'],
  compression: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
}

const MINIMA: Partial<Record<keyof TopicConfig, number>> = {
  retentionMs: -1,
  retentionBytes: -1,
  segmentBytes: 1024,
  segmentMs: 1,
  maxMessageBytes: 62,
}

/** A batch beyond it could be written, compressed, and then not be read. */
const MESSAGE_BYTES_MAX = DECOMPRESSED_BYTES_MAX

/** Positions in a segment are 31-bit numbers in Kafka's index files. */
const BYTES_MAX = 2 ** 31 - 1

/**
 * `changes` on top of `config`.
 *
 * @throws UsageError USAGE naming the setting and what it may be.
 */
export function changedConfig(config: TopicConfig, changes: Partial<TopicConfig>): TopicConfig {
  for (const [name, value] of Object.entries(changes)) checkSetting(name, value)
  return { ...config, ...changes }
}

function checkSetting(name: string, value: unknown): void {
  const setting = name as keyof TopicConfig
  const choices = CHOICES[setting]
  const minimum = MINIMA[setting]
  if (choices !== undefined) {
    if (typeof value === 'string' && choices.includes(value)) return
    throw invalid(name, value, `one of ${choices.join(', ')}`)
  }
  if (minimum === undefined) {
    const known = Object.keys(DEFAULT_TOPIC_CONFIG).join(', ')
    throw new UsageError('USAGE', `A topic has no setting "${name}". It has: ${known}.`)
  }
  const maximum = maximumOf(setting)
  if (!Number.isSafeInteger(value) || Number(value) < minimum || Number(value) > maximum) {
    throw invalid(name, value, `an integer from ${minimum} to ${maximum}`)
  }
}

function maximumOf(setting: keyof TopicConfig): number {
  if (setting === 'maxMessageBytes') return MESSAGE_BYTES_MAX
  return setting === 'segmentBytes' ? BYTES_MAX : Number.MAX_SAFE_INTEGER
}

function invalid(name: string, value: unknown, expected: string): UsageError {
  return new UsageError(
    'USAGE',
    `Topic setting ${name} is ${String(value)}; it must be ${expected}.`,
  )
}
