import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

const words = new Map([
  ['t', true],
  ['true', true],
  ['y', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['f', false],
  ['false', false],
  ['n', false],
  ['no', false],
  ['off', false],
  ['0', false],
])

/** `boolean`: booleans, and the words that PostgreSQL reads as such. */
export const bool: ColumnCodec = {
  type: 'boolean',
  write(out, value) {
    const truth = booleanOf(value)
    out.reserve(5)
    out.view.setInt32(out.position, 1)
    out.view.setUint8(out.position + 4, truth ? 1 : 0)
    out.position += 5
  },
  text: (value) => (booleanOf(value) ? 't' : 'f'),
}

function booleanOf(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  const truth = typeof value === 'string' ? words.get(value.trim().toLowerCase()) : undefined
  if (truth === undefined)
    throw new UnfitValue(sqlState.invalidText, value, 'is neither true nor false')
  return truth
}
