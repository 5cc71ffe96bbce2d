import type { Column } from '@millrace/processors'

/** What a column seems to be, and why. */
export interface Inferred {
  readonly column: Column
  /** The sample has nulls, or the file says that there may be some. */
  readonly hasNulls: boolean
  /** A value of the sample; undefined when there is none. */
  readonly example: string | undefined
  readonly why: string
}
