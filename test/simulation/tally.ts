/** What can happen in a life, and how often it must in a thousand lives for a run to count. */
const floors = {
  operation: 200_000,
  partition: 2000,
  roll: 1000,
  crash: 3000,
  'crash: power loss': 500,
  'crash: kill −9': 500,
  'crash in recovery': 100,
  'crash in roll': 100,
  'crash in retention': 50,
  'crash in a commit': 100,
  'crash with a transaction open': 200,
  'crash in a position commit': 20,
  'crash in topic creation': 20,
  'crash in topic deletion': 10,
  'crash in close': 10,
  'unsynced bytes lost': 300,
  'torn sector': 100,
  'reordered writes': 100,
  'torn tail cut': 50,
  'directory operation lost': 50,
  'short write': 500,
  'short read': 500,
  'slow operation': 500,
  'EIO on write': 20,
  'EIO on sync': 20,
  'EIO on read': 20,
  ENOSPC: 20,
  'append refused, disk full': 20,
  'log failed': 20,
  append: 50_000,
  'append: memory': 5000,
  'append: gzip': 5000,
  'append: snappy': 5000,
  'append: lz4': 5000,
  'append: zstd': 5000,
  'append answered as duplicate': 200,
  'transaction committed': 2000,
  'transaction aborted': 500,
  'transaction left open': 200,
  'commit left unanswered': 50,
  'position stored': 1000,
  fetch: 5000,
  'time lookup': 1000,
  trim: 300,
  'records expired': 100,
  'clock jump': 100,
  'topic created': 1000,
  'topic deleted': 50,
  'partitions added': 50,
  'opened twice': 100,
  'bit rot noticed': 100,
  'transaction seen whole': 1000,
  'beside the owner: opened': 1000,
  'beside the owner: read': 4000,
  'beside the owner: read after its end': 200,
  'beside the owner: positions read': 500,
  'beside the owner: all seen': 300,
} as const

/** An event that lives count. */
export type Event = keyof typeof floors

/** Counts what happened in many lives. */
export class Tally {
  readonly counts: Record<string, number> = {}
  lives = 0

  count(event: Event, times = 1): void {
    this.counts[event] = (this.counts[event] ?? 0) + times
  }

  /** Adds what another tally counted. */
  add(other: { readonly counts: Record<string, number>; readonly lives: number }): void {
    this.lives += other.lives
    for (const [event, times] of Object.entries(other.counts)) this.count(event as Event, times)
  }

  /** Events that happened too rarely for the run to prove anything. */
  get belowFloor(): string[] {
    return Object.entries(floors)
      .filter(([event, floor]) => (this.counts[event] ?? 0) < (floor * this.lives) / 1000)
      .map(
        ([event, floor]) =>
          `${event}: ${this.counts[event] ?? 0}, at least ${Math.ceil((floor * this.lives) / 1000)} wanted`,
      )
  }

  /** One line per event: its name, how often it happened, and how often per life. */
  report(): string {
    return Object.keys(floors)
      .map((event) => {
        const times = this.counts[event] ?? 0
        return `${event.padEnd(46)}${String(times).padStart(10)}${(times / this.lives).toFixed(2).padStart(10)} a life`
      })
      .join('\n')
  }
}
