import { UsageError } from '@millrace/core'
import type { Json } from '@millrace/processors'

/** What a load stores with its rows. */
export type LoadPosition = {
  /** Rows in the table from this source. */
  readonly rows: number
  /** The source's own position. */
  readonly source: Json
}

/** @throws UsageError when the stored position is not a load's. */
export function readLoadPosition(name: string, stored: Json | undefined): LoadPosition | undefined {
  if (stored === undefined) return undefined
  if (stored !== null && typeof stored === 'object' && 'rows' in stored && 'source' in stored) {
    const { rows, source } = stored
    if (typeof rows === 'number') return { rows, source }
  }
  throw new UsageError(
    'USAGE',
    `The position stored for the load ${name} was not made by a load: ${JSON.stringify(stored)}. ` +
      'Give this load another name.',
  )
}
