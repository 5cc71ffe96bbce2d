import type { Column, ColumnType } from '@millrace/processors'
import { malformed } from '../input-error.ts'
import { typeOfValue, widerType } from '../json-types.ts'
import { parseJson } from '../parse-json.ts'
import type { FileRow } from '../row-maker.ts'
import type { Block } from '../text/block-cutter.ts'
import { LenientDecoder } from '../text/lenient-decoder.ts'
import { placeIn } from '../text/line-number.ts'
import { lineSpans } from '../text/record-spans.ts'
import { requireUtf8 } from '../text/require-utf8.ts'
import { inferType } from '../text/text-values.ts'

/**
 * Parses a block of lines, an object on each; empty lines are passed over. Integers past
 * 2^53 become bigints, where JSON.parse alone would round them.
 *
 * @throws RejectedError INPUT_MALFORMED naming line and byte of the first bad one.
 */
export async function decodeLines(path: string, block: Block): Promise<FileRow[]> {
  await requireUtf8(path, block)
  const lines = block.bytes.toString('utf8').split('\n')
  const rows: FileRow[] = []
  for (const [index, line] of lines.entries()) {
    if (line === '' || line.trim() === '') continue
    try {
      rows.push(parseObject(line))
    } catch (error) {
      throw await badLine(path, block, lines, index, error as Error)
    }
  }
  return rows
}

/** Reads blocks of lines without ending at a bad one. */
export function lenientLines(path: string): LenientDecoder<Block> {
  return new LenientDecoder(path, {
    decode: (block) => decodeLines(path, block),
    spans: ({ bytes }) => lineSpans(bytes),
    part: (block) => block,
  })
}

/** As {@link decodeLines}, without the lines that are no objects. */
export function decodeGoodLines(block: Pick<Block, 'bytes'>): FileRow[] {
  const lines = block.bytes.toString('utf8').split('\n')
  return lines.flatMap((line) => {
    try {
      return [parseObject(line)]
    } catch {
      return []
    }
  })
}

/** @throws SyntaxError, TypeError the line is no JSON object. */
export function parseObject(line: string, parse = parseJson): FileRow {
  const value = parse(line)
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as FileRow
  throw new TypeError('each line holds an object, { … }, and this is something else')
}

async function badLine(
  path: string,
  block: Block,
  lines: readonly string[],
  index: number,
  error: Error,
): Promise<Error> {
  let byte = block.byte
  for (const line of lines.slice(0, index)) byte += Buffer.byteLength(line) + 1
  return malformed(
    await placeIn(path, block, byte),
    `not valid JSON (${error.message})`,
    'Each line must be a JSON object of its own. Correct the line, or make lines of an array: ' +
      `jq -c '.[]' FILE.`,
  )
}

/** Kinds of text that are more than text; numbers and booleans JSON has of its own. */
const textTypes: readonly ColumnType[] = ['date', 'timestamp', 'uuid']

/** Names and types of the top-level properties of a sample, in order of appearance. */
export function inferColumns(sample: readonly FileRow[]): Column[] {
  const types = new Map<string, ColumnType | undefined>()
  const texts = new Map<string, string[]>()
  for (const row of sample) {
    for (const [name, value] of Object.entries(row)) {
      types.set(name, widerType(types.get(name), typeOfValue(value)))
      if (typeof value !== 'string') continue
      const known = texts.get(name)
      if (known) known.push(value)
      else texts.set(name, [value])
    }
  }
  return [...types].map(([name, type = 'string']) => {
    const narrower = type === 'string' ? inferType(texts.get(name) ?? []) : type
    return { name, type: textTypes.includes(narrower) ? narrower : type, nullable: true }
  })
}
