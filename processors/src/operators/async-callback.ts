import { UsageError } from '@millrace/core'

/** A function that must answer at once gave a promise. It ends the run whatever is done with bad records. */
export class AsyncCallback extends UsageError {
  constructor(node: string) {
    super(
      'PIPELINE_INVALID',
      `${node}: its function gives a promise, which is not waited for here. ` +
        'Use mapAsync for it, and filter or flatMap what comes of that.',
    )
  }
}

/** @throws AsyncCallback for a promise. */
export function refusePromise(node: string, value: unknown): void {
  if (!(value instanceof Promise)) return
  // What becomes of it is nobody's matter now.
  value.catch(() => {})
  throw new AsyncCallback(node)
}
