import type { MillraceError } from '@millrace/core'

/** Stands among a source's rows for a record of its input that is no row: broken JSON, a surplus field. */
export class MalformedRecord {
  /** As the record stands in the input, without a line end; its own. */
  readonly bytes: Uint8Array
  /** What is wrong, and where: file, line and byte. */
  readonly error: MillraceError

  constructor(bytes: Uint8Array, error: MillraceError) {
    this.bytes = bytes
    this.error = error
  }
}
