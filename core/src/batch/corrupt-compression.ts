import { CorruptDataError } from '../errors.ts'
import type { Compression } from '../log.ts'

/** The error for compressed records that cannot be what a producer wrote. */
export function corruptCompression(compression: Compression, fault: string): CorruptDataError {
  return new CorruptDataError(
    'CORRUPT_DATA',
    `A batch's ${compression} data ${fault}. Run \`millrace log verify\` to find the file.`,
    { facts: { compression } },
  )
}
