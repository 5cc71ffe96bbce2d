import { setTimeout as sleep } from 'node:timers/promises'
import { open, type TopicDescription } from '@millrace/core'
import { type Clock, nodeClock, nodePorts } from '@millrace/core/io'
import { diskBytes } from './vital-signs.ts'

// A record of the soak with its share of batch and transaction marker, which in the smallest epochs is most of it.
const RECORD_BYTES_MAX = 300
// A changelog begins to repeat its state after so many records, or three for each key, which here is less. It
// ends within as many again, and holds what came before the round until then.
const CHANGELOG_RECORDS_MAX = 2 * 10_000
// Topics between stages are trimmed when so many records were used up.
const USED_UP_RECORDS_MAX = 50_000
// Positions of sources are forgotten every thousand commits; the topology is one record.
const POSITIONS_MAX = 2 * 1000
// The journal is compacted at 256 KiB, or at four times its last snapshot, which here is less.
const JOURNAL_BYTES_MAX = 1024 * 1024
// Indexes, leader epochs, checkpoints, watermarks.
const BESIDE_SEGMENTS = 1.1

// While a run goes on, retention has a turn so often.
const RETENTION_EVERY_SECONDS = 30

/** What a topic took on the disk, and the most it may, however long and at whatever speed a pipeline runs. */
export interface TopicOnDisk {
  readonly topic: string
  readonly bytes: number
  /** 0 for what is no topic that we know of. */
  readonly bytesMax: number
  /** Records and markers, where these show sooner than bytes whether a topic is shortened. */
  readonly offsets?: number
  readonly offsetsMax?: number
}

/** The real clock, whose rounds of retention come ten times a second. */
const hurriedClock: Clock = {
  ...nodeClock,
  schedule: (delayMs, callback, urgency) =>
    nodeClock.schedule(delayMs > 10_000 ? 100 : delayMs, callback, urgency),
}

// Against waiting for ever: a round takes milliseconds.
const RETENTION_MS_MAX = 60_000

/** What the topics of a data directory that nobody uses take, once retention had its turn. */
export async function topicsOnDisk(directory: string): Promise<readonly TopicOnDisk[]> {
  const log = await open(directory, { ports: { ...nodePorts, clock: hurriedClock } })
  try {
    const patientMs = performance.now() + RETENTION_MS_MAX
    for (;;) {
      const described = new Map((await log.listTopics()).map((topic) => [topic.name, topic]))
      const topics = [...(await diskBytes(directory))].map(([topic, bytes]) => {
        const description = described.get(topic)
        return { topic, bytes, bytesMax: bytesAllowed(topic, description), ...lengths(description) }
      })
      if (topics.every(isBounded) || performance.now() > patientMs) return topics
      await sleep(100)
    }
  } finally {
    await log.close()
  }
}

/** Whether a topic takes no more than it may. */
export function isBounded({ bytes, bytesMax, offsets = 0, offsetsMax = 0 }: TopicOnDisk): boolean {
  return bytes <= bytesMax && offsets <= offsetsMax
}

/** What may come on top of that while a run goes on: what is made between two rounds of retention. */
export function bytesBetweenRounds(rate: number): number {
  return RETENTION_EVERY_SECONDS * rate * RECORD_BYTES_MAX
}

function bytesAllowed(name: string, topic: TopicDescription | undefined): number {
  if (name === '__commit_journal') return JOURNAL_BYTES_MAX
  if (topic === undefined) return 0
  const { partitions, config } = topic
  // Whole segments go: the first holds what is kept and what is not, the last is being written.
  const bytes = 2 * config.segmentBytes + bytesKept(topic)
  return Math.ceil(partitions.length * bytes * BESIDE_SEGMENTS)
}

/** What a partition is to keep. */
function bytesKept({ name, config }: TopicDescription): number {
  if (config.retentionBytes >= 0) return config.retentionBytes
  if (config.cleanup === 'delete') return USED_UP_RECORDS_MAX * RECORD_BYTES_MAX
  return recordsKept(name) * RECORD_BYTES_MAX
}

/** What a partition of a compacted topic is to keep. */
function recordsKept(name: string): number {
  return /-(sources|topology)$/.test(name) ? POSITIONS_MAX : CHANGELOG_RECORDS_MAX
}

/** How long a compacted topic is, and the most that it may be: every record with a marker of its own. */
function lengths(topic: TopicDescription | undefined): Pick<TopicOnDisk, 'offsets' | 'offsetsMax'> {
  if (topic?.config.cleanup !== 'compact') return {}
  const { name, partitions } = topic
  const held = partitions.map(({ startOffset, highWatermark }) => highWatermark - startOffset)
  return {
    offsets: Math.max(...held),
    offsetsMax: 2 * recordsKept(name),
  }
}
