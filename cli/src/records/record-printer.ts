import type { Position } from '@millrace/core'
import { paintData } from '../talk.ts'
import type { FetchedRecords } from './read-partitions.ts'
import { type ConsumedRecord, recordToJson, textOf } from './record-json.ts'

/** `text` is for people, `json` for programs, `value` for what reads lines. */
export type RecordFormat = 'text' | 'json' | 'value'

const newline = Buffer.from('\n')

/** The line a record is printed as, in each format. */
const recordLine: Record<RecordFormat, (record: ConsumedRecord) => string | Uint8Array> = {
  json: recordToJson,
  value: ({ value }) => value ?? '',
  text({ topic, partition, offset, timestampMs, key, value }) {
    const place = `${topic}[${partition}]@${offset}  ${timeOf(timestampMs)}`
    return `${paintData('dim', place)}  ${paintData('cyan', shown(key))}  ${shown(value)}`
  },
}

function timeOf(timestampMs: number): string {
  const time = new Date(timestampMs)
  return Number.isNaN(time.getTime()) ? String(timestampMs) : time.toISOString()
}

/** Control characters of a record must not reach the terminal. */
function shown(bytes: Uint8Array | null): string {
  if (bytes === null) return '-'
  const text = textOf(bytes) ?? `base64:${Buffer.from(bytes).toString('base64')}`
  return text.replaceAll(/\p{Cc}/gu, '·')
}

/** What was printed, and where reading goes on after it. */
export interface PrintedRecords {
  readonly bytes: Uint8Array
  readonly count: number
  /** Undefined when there was nothing to print. */
  readonly next: Position | undefined
}

/** Turns what was fetched into what is printed. */
export interface RecordPrinter {
  /** The first records of what was fetched; at most `limit`. */
  print(fetched: FetchedRecords, limit: number): Promise<PrintedRecords>
  /** What comes after the last record. */
  end(): Promise<Uint8Array>
}

/** Prints each record as a line. */
export function linePrinter(topic: string, format: RecordFormat): RecordPrinter {
  const line = recordLine[format]
  return {
    async print(fetched, limit) {
      const lines: Uint8Array[] = []
      const counted = eachRecord(fetched, limit, ({ offset, timestampMs, key, value, headers }) => {
        const { partition } = fetched
        const printed = line({ topic, partition, offset, timestampMs, key, value, headers })
        lines.push(typeof printed === 'string' ? Buffer.from(printed) : printed, newline)
      })
      return { ...counted, bytes: Buffer.concat(lines) }
    },
    end: async () => new Uint8Array(0),
  }
}

/** Goes through the first records, at most `limit`, and says where reading goes on after them. */
export function eachRecord(
  { end, records }: FetchedRecords,
  limit: number,
  visit: (record: FetchedRecords['records']) => void,
): Pick<PrintedRecords, 'count' | 'next'> {
  let count = 0
  let next: Position | undefined
  while (count < limit && records.next() && records.offset < end) {
    visit(records)
    count++
    next = { offset: records.offset + 1, leaderEpoch: records.leaderEpoch }
  }
  return { count, next }
}
