import { RejectedError } from '../errors.ts'
import { defineSerde, type Serde } from './serde.ts'
import { decodeText } from './text.ts'

/** Text as UTF-8. Text with a lone surrogate has no UTF-8 and is refused. */
export const string: Serde<string> = defineSerde({
  name: 'string',
  copies: true,
  encode(value: string) {
    if (typeof value !== 'string') {
      throw new RejectedError(
        'RECORD_INVALID',
        `The serde string takes text, not ${typeof value}: convert it, or use another serde.`,
      )
    }
    if (value.isWellFormed()) return value
    throw new RejectedError(
      'RECORD_INVALID',
      'The string has a lone surrogate and so no UTF-8; call toWellFormed() on it, or use json().',
    )
  },
  decode(buffer, start, end) {
    return decodeText(buffer, start, end)
  },
})
