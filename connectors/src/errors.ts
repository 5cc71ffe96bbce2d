/** Codes of the errors of `@millrace/connectors`; docs/errors.md explains each. */
export type ConnectorErrorCode =
  | 'DATABASE_REFUSED'
  | 'DATABASE_SERVER_FAILED'
  | 'INPUT_CHANGED'
  | 'INPUT_DAMAGED'
  | 'INPUT_MALFORMED'
  | 'INPUT_UNREADABLE'
  | 'ROW_COUNT_DIFFERS'
  | 'ROW_REFUSED'
  | 'SINK_FENCED'
  | 'SINK_OF_ANOTHER_LOG'
  | 'TABLE_MISMATCH'
  | 'TABLE_NOT_FOUND'
