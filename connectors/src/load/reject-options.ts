import { type Checks, count, orInfinity, required, text } from '@millrace/core/options'

/** Where refused records go. */
export interface RejectOptions {
  /** The records as they stand in the input; beside it, in `….causes.ndjson`, why, a line for each. */
  readonly path: string
  /** More end the load. Default: any number. */
  readonly max?: number
}

/** For whoever takes them. */
export const rejectChecks: Checks<RejectOptions> = {
  path: required(text),
  max: orInfinity(count(0)),
}
