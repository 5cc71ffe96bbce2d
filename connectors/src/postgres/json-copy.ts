import { UnfitValue } from './codecs/column-codec.ts'
import { quoteList } from './identifier.ts'
import { JsonTranscoder, nextLine } from './json-transcoder.ts'
import type { Row, RowEncoder } from './row-encoder.ts'
import { rowEncoder, writeBinaryEnd, writeBinaryStart } from './row-encoder.ts'
import type { Session } from './session.ts'
import type { Table, TableColumn } from './table.ts'

const sendBytes = 128 * 1024

/** Lines of JSON objects. */
export interface JsonText {
  readonly bytes: Buffer
  /** Properties of the lines by the table's columns that they go to. */
  readonly shape: JsonShape
  /** Reads a line; undefined when it is none, or has other properties. */
  readonly read: (line: Buffer) => Row | undefined
}

/** What goes where, for one table. */
export interface JsonShape {
  readonly columns: readonly TableColumn[]
  /** The place of a property's column; −1 where it is left out. */
  readonly properties: ReadonlyMap<string, number>
}

/** A line must go another way, and with it all of its transaction. */
class LeftToRows extends Error {}

/**
 * Copies lines of JSON into a table inside the session's transaction, without making objects of those
 * that have their usual form.
 *
 * @returns the rows copied; undefined when the lines must be written as rows, after a rollback.
 * @throws DatabaseError the server refused a row.
 */
export async function copyJson(
  session: Session,
  table: Table,
  text: JsonText,
): Promise<number | undefined> {
  const { columns, properties } = text.shape
  const transcoder = JsonTranscoder.for(columns, properties)
  if (transcoder === undefined) return undefined
  const names = quoteList(columns.map(({ name }) => name))
  const feed = new JsonFeed(session, text, transcoder, rowEncoder(columns))
  try {
    return await session.copyIn(
      `COPY ${table.sql} (${names}) FROM STDIN WITH (FORMAT binary)`,
      (copy) => feed.sendTo(copy),
    )
  } catch (error) {
    if (error instanceof LeftToRows) return undefined
    throw error
  }
}

class JsonFeed {
  readonly #session: Session
  readonly #text: JsonText
  readonly #transcoder: JsonTranscoder
  readonly #encoder: RowEncoder

  constructor(session: Session, text: JsonText, transcoder: JsonTranscoder, encoder: RowEncoder) {
    this.#session = session
    this.#text = text
    this.#transcoder = transcoder
    this.#encoder = encoder
  }

  async sendTo(copy: { send(bytes: Buffer): Promise<void> }): Promise<void> {
    const { bytes } = this.#text
    const out = this.#session.buffer
    out.position = 0
    writeBinaryStart(out)
    for (let at = 0; at < bytes.length;) {
      const next = this.#transcoder.write(out, bytes, at)
      at = next > at ? next : this.#writeOne(at)
      if (out.position >= sendBytes) await copy.send(out.take())
    }
    writeBinaryEnd(out)
    await copy.send(out.take())
  }

  /** Returns where the next line begins. */
  #writeOne(start: number): number {
    const { bytes, read } = this.#text
    const end = nextLine(bytes, start)
    const row = read(bytes.subarray(start, end))
    if (row === undefined) throw new LeftToRows()
    try {
      this.#encoder.row(this.#session.buffer, null, row, 0)
    } catch (error) {
      throw error instanceof UnfitValue ? new LeftToRows() : error
    }
    return end
  }
}
