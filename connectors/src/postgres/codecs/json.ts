import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'
import { writeUnchecked } from './text.ts'

/** `jsonb`: any value that JSON can hold, bigints included; a string becomes a JSON string. */
export const jsonb: ColumnCodec = {
  type: 'jsonb',
  write(out, value) {
    const text = binaryJson(value)
    const start = out.position
    out.reserve(5)
    out.position = start + 1
    writeUnchecked(out, text)
    // One byte before the text says the version, and the length counts it.
    out.view.setInt32(start, out.view.getInt32(start + 1) + 1)
    out.view.setUint8(start + 4, 1)
  },
  text: (value) => binaryJson(value),
}

/** `json`: the same, stored as its text. */
export const json: ColumnCodec = {
  type: 'json',
  write: (out, value) => writeUnchecked(out, stringify(value)),
  text: (value) => stringify(value),
}

const escapedNul = /(?<!\\)(?:\\\\)*\\u0000/
const escapedSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f]/

function binaryJson(value: unknown): string {
  const text = stringify(value)
  if (text.includes('\\u0000') && escapedNul.test(text)) {
    throw new UnfitValue(
      sqlState.untranslatable,
      value,
      'contains NUL (\\u0000), which jsonb refuses',
    )
  }
  if (text.includes('\\ud') && escapedSurrogate.test(text)) {
    throw new UnfitValue(sqlState.untranslatable, value, 'contains half of a surrogate pair')
  }
  return text
}

function stringify(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    text = stringifyWithBigints(value)
  }
  if (text === undefined) throw new UnfitValue(sqlState.invalidText, value, 'is not JSON')
  return text
}

/** Node has this; the compiler's library does not yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON: (this: void, text: string) => unknown }

function stringifyWithBigints(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_name, part: unknown) =>
      typeof part === 'bigint' ? rawJSON(String(part)) : part,
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new UnfitValue(sqlState.invalidText, value, `is not JSON (${reason})`)
  }
}
