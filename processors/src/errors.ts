/** Codes of the errors of `@millrace/processors`; docs/errors.md explains each. */
export type ProcessorErrorCode =
  | 'PIPELINE_INVALID'
  | 'DURATION_INVALID'
  | 'TOPOLOGY_CHANGED'
  | 'TOO_MANY_DEAD_LETTERS'
  | 'CALLBACK_FAILED'
  | 'CALLBACK_TIMEOUT'
  | 'EVENT_TIME_INVALID'
  | 'THREAD_FAILED'
