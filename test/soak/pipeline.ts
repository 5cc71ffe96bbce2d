import { setTimeout as sleep } from 'node:timers/promises'
import {
  aggregate,
  count,
  generate,
  json,
  keyBy,
  max,
  type Pipeline,
  pipeline,
  postgres,
  type Source,
  sum,
  topic,
  tumbling,
  window,
} from 'millrace'

/** What a sensor in a room measured. */
export interface Reading {
  readonly sensor: string
  readonly room: string
  readonly value: number
  /** Event time: the n-th reading's follows from n, so that the sums of a window can be foretold. */
  readonly time: number
  /** Wall-clock time when it was made. */
  readonly madeMs: number
}

export const SENSORS = 40
export const ROOMS = 7
export const WINDOW_MS = 10_000
const VALUES = 1000
const START_MS = Date.UTC(2001, 0, 1)
const MIB = 1024 * 1024

/** Of every topic, so that a run of minutes also rolls and forgets. */
export const SEGMENT_BYTES: number = 2 * MIB

/** What the n-th reading of a run at `rate` records a second says, whenever it is made. */
export function readingAt(n: number, rate: number): Omit<Reading, 'madeMs'> {
  return {
    sensor: `s${n % SENSORS}`,
    room: `r${n % ROOMS}`,
    value: n % VALUES,
    time: START_MS + Math.floor((n * 1000) / rate),
  }
}

/** What a run is told. */
export interface SoakOptions {
  readonly rate: number
  /** Records in all; endless without it. */
  readonly count?: number
  readonly url: string
  /** Told the number of each record that is made. */
  readonly onMade: (n: number) => void
  /** Whether so much is waiting that the source had better wait too: topics here forget. */
  readonly isBehind: () => Promise<boolean>
}

const small = { segmentBytes: SEGMENT_BYTES, retentionBytes: 16 * MIB }

/** Half a minute of records. They do not expire by age: a machine may be slow to read them. */
export const readings = topic('readings', {
  value: json<Reading>(),
  key: 'sensor',
  time: 'time',
  partitions: 4,
  config: small,
})

const closedWindows = topic('closed-windows', {
  value: json<object>(),
  key: json(),
  config: { ...small, retentionMs: 180_000 },
})

const HELD_BACK_MS = 20

/** Records at a steady rate → a topic that forgets → windows and totals → two tables and a topic. */
export function soakPipeline(options: SoakOptions): Pipeline {
  const { url } = options
  const measures = {
    readings: count(),
    total: sum((reading: Reading) => reading.value),
    newest: max((reading: Reading) => reading.madeMs),
  }
  return pipeline('soak', ({ from }) => {
    from(steadyReadings(options)).to(readings)
    from(readings)
      .pipe(window(tumbling('10s', { grace: '5s' })), aggregate(measures))
      .to(postgres.table('windows', { url, create: true, key: ['sensor', 'window_start'] }))
    from(readings)
      .pipe(keyBy('room'), aggregate(measures))
      .to(postgres.table('totals', { url, create: true, key: 'room' }))
    from(readings)
      .pipe(window(tumbling('1s'), { emit: 'final' }), aggregate(measures))
      .to(closedWindows)
  })
}

/** Generated readings that wait while too much is waiting already. */
function steadyReadings({ rate, count: records, onMade, isBehind }: SoakOptions): Source<Reading> {
  const record = (n: number): Reading => {
    onMade(n)
    return { ...readingAt(n, rate), madeMs: Date.now() }
  }
  const source = generate({ rate, record, ...(records === undefined ? {} : { count: records }) })
  return {
    ...source,
    async open(context) {
      const reader = await source.open(context)
      return {
        total: reader.total,
        async *batches() {
          for await (const batch of reader.batches()) {
            while ((await isBehind()) && !context.signal.aborted) await sleep(HELD_BACK_MS)
            yield batch
          }
        },
        close: () => reader.close(),
      }
    },
  }
}
