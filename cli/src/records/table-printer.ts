import { type Log, UsageError } from '@millrace/core'
import {
  csvFormat,
  Layout,
  type OutFormat,
  parquetFormat,
  parseJson,
  type RowEncoder,
  RowMisfit,
} from '@millrace/connectors/formats'
import { didYouMean } from '@millrace/core/options'
import { say } from '../talk.ts'
import { type FetchedRecords, type ReadPlan, readPartitions } from './read-partitions.ts'
import { textOf } from './record-json.ts'
import { eachRecord, type PrintedRecords, type RecordPrinter } from './record-printer.ts'

/** Formats with columns: those of the key, then those of the value. */
export type TableFormat = 'csv' | 'parquet'

type Part = Readonly<Record<string, unknown>> | null

interface Rows {
  readonly keys: Part[]
  readonly values: Part[]
  readonly offsets: number[]
}

/** @throws UsageError a terminal can't show Parquet, and a group can't go on in the middle of a file. */
export function expectPlaceFor(format: TableFormat, group: string | undefined): void {
  if (format !== 'parquet') return
  if (process.stdout.isTTY) {
    throw new UsageError(
      'USAGE',
      'Parquet is nothing for a terminal. Put it into a file: … > FILE.parquet',
    )
  }
  if (group === undefined) return
  throw new UsageError(
    'USAGE',
    'A group commits what is printed, and a Parquet file is nothing before its end. Leave --group out.',
  )
}

/**
 * Prints records as rows of one table. Its columns are those named, or those of all records up to the
 * end (`--exit`: everything is read once before), or else those that came first.
 */
export async function tablePrinter(
  format: TableFormat,
  columns: readonly string[],
  log: Log,
  plan: ReadPlan,
  limit: number,
  signal: AbortSignal,
): Promise<RecordPrinter> {
  const printer = new TablePrinter(format === 'csv' ? csvFormat() : parquetFormat(), columns)
  if (!plan.untilEnd || (columns.length > 0 && format === 'csv')) return printer
  let left = limit
  for await (const fetched of readPartitions(log, plan, signal)) {
    left -= printer.look(fetched, left)
    if (left === 0) break
  }
  return printer
}

class TablePrinter implements RecordPrinter {
  readonly #format: OutFormat
  readonly #columns: readonly string[]
  readonly #layout: Layout
  #encoder: RowEncoder | undefined

  /** @param columns none: those that the records have. */
  constructor(format: OutFormat, columns: readonly string[]) {
    this.#format = format
    this.#columns = columns
    this.#layout = new Layout([], format.needs)
  }

  /** Learns the columns of records that will come; gives how many there are. */
  look(fetched: FetchedRecords, limit: number): number {
    const rows = takeRows(fetched, limit)
    this.#widen(rows)
    return rows.count
  }

  async print(fetched: FetchedRecords, limit: number): Promise<PrintedRecords> {
    const rows = takeRows(fetched, limit)
    const { count, next } = rows
    const needsMore = this.#widen(rows)
    if (needsMore && this.#encoder !== undefined) throw this.#columnsChanged(fetched, rows)
    if (count === 0) return { bytes: new Uint8Array(0), count, next }
    if (this.#encoder === undefined) this.#sayUnknown()
    this.#encoder ??= this.#begin()
    for (const [i, value] of rows.values.entries()) {
      this.#add(
        this.#encoder,
        rows.keys[i] ?? null,
        value,
        `${fetched.partition}@${rows.offsets[i]}`,
      )
    }
    // A table for people comes as it goes; Parquet in row groups.
    const isDue = this.#format.name === 'csv' || this.#encoder.isFull
    return { bytes: isDue ? await this.#encoder.take(false) : new Uint8Array(0), count, next }
  }

  /** Without a record: a header where columns are known, and nothing else to say. */
  async end(): Promise<Uint8Array> {
    this.#encoder ??= this.#begin()
    return this.#encoder.take(true)
  }

  #begin(): RowEncoder {
    const known = this.#layout.columns
    const chosen =
      this.#columns.length === 0
        ? known
        : this.#columns.map((name) => known.find((column) => column.name === name) ?? { name })
    return this.#format.begin(chosen, new Set())
  }

  /** A column that is misspelt would be there, and empty. */
  #sayUnknown(): void {
    const known = this.#layout.columns.map(({ name }) => name)
    for (const name of this.#columns.filter((each) => !known.includes(each))) {
      const hint = didYouMean(name, known) || ` They have: ${known.join(', ')}.`
      say(`The first records have no column "${name}".${hint}`)
    }
  }

  #widen({ keys, values }: Rows): boolean {
    const before = this.#layout.columns
    const isWider = this.#layout.widen({ size: values.length, keys, values })
    if (!isWider || this.#columns.length === 0) return isWider
    // Only what is printed matters.
    const typeIn = (columns: Layout['columns'], name: string) =>
      columns.find((column) => column.name === name)?.type
    const after = this.#layout.columns
    return (
      this.#format.needs === 'types' &&
      this.#columns.some((name) => typeIn(before, name) !== typeIn(after, name))
    )
  }

  #add(encoder: RowEncoder, key: Part, value: Part, place: string): void {
    try {
      encoder.add(key, value)
    } catch (error) {
      if (!(error instanceof RowMisfit)) throw error
      throw new UsageError('USAGE', `The record ${place}: ${error.message}.`, { cause: error })
    }
  }

  #columnsChanged({ partition }: FetchedRecords, { offsets }: Rows): UsageError {
    const names = this.#layout.columns.map(({ name }) => name).join(',')
    return new UsageError(
      'USAGE',
      `A record of partition ${partition}, from offset ${offsets[0]} on, has other columns than those before ` +
        `it, and the header is printed already. Name the columns (--columns ${names}); or read up to the end ` +
        `(--exit), which looks at all records first; or print JSON (-o json).`,
    )
  }
}

function takeRows(fetched: FetchedRecords, limit: number): Rows & Omit<PrintedRecords, 'bytes'> {
  const rows: Rows = { keys: [], values: [], offsets: [] }
  const counted = eachRecord(fetched, limit, ({ offset, key, value }) => {
    rows.keys.push(partOf(key, 'key'))
    rows.values.push(partOf(value, 'value'))
    rows.offsets.push(offset)
  })
  return { ...rows, ...counted }
}

/** Objects are columns; anything else is one of its own. */
function partOf(bytes: Uint8Array | null, name: 'key' | 'value'): Part {
  if (bytes === null) return null
  const text = textOf(bytes)
  if (text === undefined) return { [name]: Buffer.from(bytes) }
  const parsed = parsedOr(text)
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
  return isObject ? (parsed as Part) : { [name]: parsed }
}

function parsedOr(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}
