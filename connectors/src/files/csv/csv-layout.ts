import { isUtf8 } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'
import type { Column } from '@millrace/processors'
import { unreadable } from '../input-error.ts'
import { requireFewColumns } from '../row-maker.ts'
import { openBytes } from '../text/byte-reader.ts'
import type { Block, BlockLimits } from '../text/block-cutter.ts'
import { placeAt } from '../text/line-number.ts'
import { requireUtf8 } from '../text/require-utf8.ts'
import type { CsvBlock } from './csv-blocks.ts'
import { CsvBlocks, badQuote } from './csv-blocks.ts'
import { guessDelimiter, nameColumns, typeColumns } from './csv-columns.ts'
import { splitExactly } from './csv-records.ts'
import type { CsvDialect } from './csv-scan.ts'
import type { CsvOptions } from './csv.ts'

/** What a look at the beginning of a CSV file tells. */
export interface CsvLayout {
  readonly columns: readonly Column[]
  readonly dialect: CsvDialect
  /** Where the first record after the header begins. */
  readonly bodyByte: number
  readonly isCompressed: boolean
}

/** What a file is read for. */
export interface CsvManner {
  /** Records that are no rows are given as such, instead of ending the reading. */
  readonly isLenient: boolean
  /** Columns of a file like this one. */
  readonly like: readonly Column[]
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const

/** Reads the header and the first block: dialect, names and types of the columns. */
export async function probeCsv(
  path: string,
  file: FileHandle,
  options: CsvOptions,
  limits: BlockLimits,
  { isLenient, like }: CsvManner,
): Promise<CsvLayout> {
  const { startByte, firstLine, isCompressed } = await readFirstLine(path, file, limits)
  const dialect = {
    delimiter: options.delimiter ?? guessDelimiter(firstLine),
    quote: options.quote ?? '"',
    null: options.null ?? '',
  }
  const blocks = await CsvBlocks.open({ path, file, dialect, limits, startByte, isLenient })
  try {
    const first = await blocks.next()
    if (first?.broken && options.header !== false) {
      throw badQuote(await placeAt(path, first.byte + first.broken.at), first.broken)
    }
    const block = isLenient ? await withNext(blocks, first, limits) : first
    if (!block) return { columns: [], dialect, bodyByte: startByte, isCompressed }
    const layout = readColumns(path, block, dialect, options, like)
    // Its length is taken from its text, which must be what its bytes say. Of records a bad one is
    // named, or refused, when it is read.
    const header = block.bytes.subarray(0, layout.bodyByte - block.byte)
    await requireUtf8(path, { ...block, bytes: header })
    return { dialect, isCompressed, ...layout }
  } finally {
    blocks.close()
  }
}

/** As many whole records as a block has, also where broken ones cut the first short. */
async function withNext(
  blocks: CsvBlocks,
  first: CsvBlock | undefined,
  { blockBytes }: BlockLimits,
): Promise<Block | undefined> {
  const whole: Buffer[] = []
  let bytes = 0
  for (let block = first; block && bytes < blockBytes; block = await blocks.next()) {
    bytes += block.bytes.length
    if (!block.broken) whole.push(Buffer.from(block.bytes))
  }
  return first && { ...first, bytes: Buffer.concat(whole) }
}

function readColumns(
  path: string,
  block: Block,
  dialect: CsvDialect,
  options: CsvOptions,
  like: readonly Column[],
): Pick<CsvLayout, 'columns' | 'bodyByte'> {
  const placed = splitExactly(block.bytes.toString('utf8'), dialect)
  const records = placed.map(({ record }) => record)
  const hasHeader = options.header ?? true
  const header = hasHeader ? records.shift() : undefined
  const declared = options.columns ?? {}
  requireFewColumns(path, (header ?? records[0])?.length ?? 0)
  const names = nameColumns(path, header, declared, records[0]?.length ?? 0)
  const sample = isUtf8(block.bytes) ? records : records.filter(isWhole)
  const columns = typeColumns(names, declared, like, sample)
  const bodyByte = block.byte + (hasHeader ? (placed[0]?.info.bytes ?? 0) : 0)
  return { columns, bodyByte }
}

/** Did all of its bytes have a meaning? */
function isWhole(record: readonly (string | null)[]): boolean {
  return !record.some((field) => field?.includes('\ufffd'))
}

async function readFirstLine(
  path: string,
  file: FileHandle,
  limits: BlockLimits,
): Promise<{ startByte: number; firstLine: string; isCompressed: boolean }> {
  const reader = await openBytes(path, file, 0)
  try {
    const bytes = Buffer.alloc(limits.blockBytes)
    const head = bytes.subarray(0, await reader.read(bytes))
    refuseOtherEncodings(path, head)
    const startByte = BYTE_ORDER_MARK.every((byte, i) => head[i] === byte) ? 3 : 0
    const end = head.indexOf(0x0a)
    if (end < 0 && head.includes(0x0d)) {
      throw unreadable(path, 'lines end in carriage returns alone', 'Convert them: tr "\\r" "\\n".')
    }
    const firstLine = head.toString('utf8', startByte, end < 0 ? head.length : end)
    return { startByte, firstLine, isCompressed: reader.isCompressed }
  } finally {
    reader.close()
  }
}

function refuseOtherEncodings(path: string, head: Buffer): void {
  const mark = head.length >= 2 ? head.readUInt16BE(0) : 0
  if (mark !== 0xfffe && mark !== 0xfeff) return
  throw unreadable(path, 'the text is UTF-16', 'Convert it: iconv -f UTF-16 -t UTF-8.')
}
