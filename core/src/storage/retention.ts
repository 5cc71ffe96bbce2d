import type { TopicConfig } from '../log.ts'

/** What retention needs to know of a segment. */
export interface AgingSegment {
  readonly endOffset: number
  readonly sizeBytes: number
  /** Clock time of the last append, not of any record. */
  readonly lastAppendMs: number
}

/** What decides how much is kept. */
export interface RetentionLimits extends Pick<TopicConfig, 'retentionMs' | 'retentionBytes'> {
  readonly nowMs: number
  /** Nothing at or above this offset may go. */
  readonly limitOffset: number
}

/** How many segments, from the oldest on, are too old or too many. The last one never counts. */
export function countExpired(segments: readonly AgingSegment[], limits: RetentionLimits): number {
  let bytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let count = 0
  for (const segment of segments.slice(0, -1)) {
    const isLarge = limits.retentionBytes >= 0 && bytes - segment.sizeBytes >= limits.retentionBytes
    if (segment.endOffset > limits.limitOffset) break
    if (!isLarge && !isTooOld(segment, limits)) break
    bytes -= segment.sizeBytes
    count++
  }
  return count
}

/** Whether everything in a segment was appended longer ago than records are kept. */
export function isTooOld(segment: AgingSegment, limits: RetentionLimits): boolean {
  return limits.retentionMs >= 0 && limits.nowMs - segment.lastAppendMs > limits.retentionMs
}
