import { UsageError } from '@millrace/core'
import type { Json } from '@millrace/processors'
import type { FileIdentity } from '../files/file-identity.ts'
import type { Format } from './input.ts'
import type { Range } from './ranges.ts'

/** What the load of a source that is no file stores with its rows. */
export type LoadPosition = {
  /** Rows in the table from this source. */
  readonly rows: number
  /** The source's own position. */
  readonly source: Json
}

/**
 * What one lane of a file's load stores with its rows. Whatever any lane ever stored is true as long
 * as the file is the same: what is done is the union over all lanes.
 */
export type LanePosition = {
  readonly format: Format
  readonly file: FileIdentity
  /** Lanes that may hold positions; of the first lane only, and raised before another writes. */
  readonly lanes: number
  /** Rows that this lane has put into the table. */
  readonly rows: number
  /** Records that this lane has seen refused. */
  readonly rejected: number
  /** Stretches of the file whose records are stored or rejected. */
  readonly done: readonly Range[]
  /** The last stretch goes to the file's end. */
  readonly ended: boolean
}

/** @throws UsageError when the stored position is not such a load's. */
export function readLoadPosition(name: string, stored: Json | undefined): LoadPosition | undefined {
  if (stored === undefined) return undefined
  if (isObject(stored) && 'rows' in stored && 'source' in stored) {
    const { rows, source } = stored
    if (typeof rows === 'number') return { rows, source }
  }
  throw notALoads(name, stored)
}

/** @throws UsageError when the stored position is not such a load's, or of another format. */
export function readLanePosition(
  name: string,
  format: Format,
  stored: Json | undefined,
): LanePosition | undefined {
  if (stored === undefined || stored === null) return undefined
  if (!isObject(stored) || !('format' in stored) || !('done' in stored)) {
    throw notALoads(name, stored)
  }
  const position = stored as unknown as LanePosition
  if (position.format === format) return position
  throw new UsageError(
    'USAGE',
    `The load ${name} began with the file read as ${position.format}, and is now to go on with it ` +
      `as ${format}. Read it as before, or give this load another name.`,
  )
}

function isObject(value: Json): value is { readonly [name: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function notALoads(name: string, stored: Json): UsageError {
  return new UsageError(
    'USAGE',
    `The position stored for the load ${name} was not made by such a load: ` +
      `${JSON.stringify(stored)}. Give this load another name.`,
  )
}
