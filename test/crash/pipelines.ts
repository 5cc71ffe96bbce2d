import {
  aggregate,
  count,
  json,
  keyBy,
  type Pipeline,
  pipeline,
  type PipelineTools,
  postgres,
  type Source,
  sum,
  topic,
  tumbling,
  window,
} from 'millrace'
import { setTimeout } from 'node:timers/promises'
import { readings, type Reading } from './readings.ts'

const BATCH_ROWS = 80
// Long enough for the batch before to be committed by itself, so that a life has many epochs.
const PAUSE_MS = 6

/** The readings as a source that can be resumed after each batch. */
function readingsSource(): Source<Reading> {
  return {
    kind: 'source',
    name: 'measured',
    bounded: true,
    open: async ({ position, signal }) => ({
      total: { rows: readings.length },
      async *batches() {
        for (let from = Number(position ?? 0); from < readings.length; from += BATCH_ROWS) {
          if (signal.aborted) return
          const rows = readings.slice(from, from + BATCH_ROWS)
          const end = from + rows.length
          yield { rows, position: end, bytesRead: end, rowsRead: end }
          await setTimeout(PAUSE_MS)
        }
      },
      close: async () => {},
    }),
  }
}

const read = topic('readings', {
  value: json<Reading>(),
  key: 'sensor',
  time: 'time',
  partitions: 3,
})

/** Where a pipeline's tables are. */
export interface Tables {
  readonly url: string
  readonly schema: string
}

type Build = (tools: PipelineTools, tables: Tables) => void

const append: Build = ({ from }, { url, schema }) => {
  from(read).to(postgres.table(`${schema}.rows`, { url, create: true }))
}

const windows: Build = ({ from }, { url, schema }) => {
  from(read)
    .pipe(
      window(tumbling('1m', { grace: '1m' })),
      aggregate({ readings: count(), total: sum((reading) => reading.value) }),
    )
    .to(postgres.table(`${schema}.windows`, { url, create: true, key: ['sensor', 'window_start'] }))
}

const totals: Build = ({ from }, { url, schema }) => {
  from(read)
    .pipe(keyBy('room'), aggregate({ readings: count(), total: sum((reading) => reading.value) }))
    .to(postgres.table(`${schema}.totals`, { url, create: true, key: 'room' }))
}

const builds = {
  append: [append],
  'windowed upsert': [windows],
  'keyBy with state': [totals],
  'two sinks': [append, windows],
} satisfies Record<string, readonly Build[]>

export type PipelineName = keyof typeof builds

export const pipelineNames = Object.keys(builds) as PipelineName[]

/** One of the pipelines that are killed, writing to tables of its own. */
export function crashedPipeline(name: PipelineName, tables: Tables): Pipeline {
  return pipeline('crashed', (tools) => {
    tools.from(readingsSource()).to(read)
    for (const build of builds[name]) build(tools, tables)
  })
}
