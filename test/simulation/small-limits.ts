import type { Edit } from './plant.ts'

function limit(file: string, name: string, was: string, is: string): Edit {
  const find = `const ${name} = ${was}`
  return { file: `core/src/${file}`, find, replace: `const ${name} = ${is}` }
}

/**
 * Limits made small, so that a life of a few kilobytes reaches them: read windows that end inside a
 * batch, indexes of several entries, a journal that is compacted, producer epochs that run out.
 */
export const smallLimits: readonly Edit[] = [
  limit('storage/committer.ts', 'UNSYNCED_BYTES_MAX', '1024 * 1024', '2048'),
  limit('storage/segment.ts', 'INDEX_INTERVAL_BYTES', '4096', '300'),
  limit('storage/segment.ts', 'INDEX_ENTRIES_KEPT_MAX', '4096', '3'),
  limit('storage/scan.ts', 'WINDOW_BYTES', '256 * 1024', '700'),
  limit('storage/scan.ts', 'HEADER_WINDOW_BYTES', '4096', '150'),
  limit('storage/scan.ts', 'SMALL_BATCH_BYTES', '4096', '200'),
  limit('storage/later-batch.ts', 'CHUNK_BYTES', '1024 * 1024', '1500'),
  limit('storage/recovery.ts', 'CHUNK_BYTES', '1024 * 1024', '900'),
  limit('storage/read-batches.ts', 'SLACK_BYTES', '4096', '100'),
  limit('storage/find-by-time.ts', 'READ_BYTES', '256 * 1024', '500'),
  limit('transactions/journal.ts', 'READ_BYTES', '4 * 1024 * 1024', '2000'),
  limit('transactions/journal.ts', 'COMPACT_BYTES_MIN', '256 * 1024', '4000'),
  limit('transactions/coordinator.ts', 'PRODUCER_EPOCH_MAX', '32_767', '7'),
  limit('transactions/coordinator.ts', 'PRODUCER_IDS_BLOCK', '1000', '3'),
]
