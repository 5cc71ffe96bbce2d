import pg from 'pg'
import { expectedSums, type Sums } from './expected.ts'

/** The tables that a soaked process fills, as another reader sees them. */
export class Tables {
  readonly #pool: pg.Pool

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 2 })
    this.#pool.on('error', () => {})
  }

  /** When the newest record was made that the newest window row of a sensor counts. */
  async newestMs(): Promise<number | undefined> {
    const { rows } = await this.#pool
      .query<{ newest: string }>(
        `SELECT newest FROM windows WHERE sensor = 's0' ORDER BY window_start DESC LIMIT 1`,
      )
      .catch(() => ({ rows: [] }))
    return rows[0] === undefined ? undefined : Number(rows[0].newest)
  }

  /** How many rows are not what so many records come to; and how many there should be. */
  async compare(count: number, rate: number): Promise<{ rows: number; different: number }> {
    const expected = expectedSums(count, rate)
    const windows = await this.#read(
      `SELECT sensor || ' ' || (extract(epoch FROM window_start) * 1000)::bigint AS key, readings, total FROM windows`,
    )
    const totals = await this.#read('SELECT room AS key, readings, total FROM totals')
    return {
      rows: expected.windows.size + expected.totals.size,
      different:
        countDifferent(expected.windows, windows) + countDifferent(expected.totals, totals),
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #read(sql: string): Promise<Map<string, Sums>> {
    type Row = { key: string; readings: string; total: string }
    const { rows } = await this.#pool.query<Row>(sql)
    return new Map(
      rows.map(({ key, readings, total }) => [
        key,
        { readings: Number(readings), total: Number(total) },
      ]),
    )
  }
}

function countDifferent(expected: Map<string, Sums>, found: Map<string, Sums>): number {
  let different = 0
  for (const [key, { readings, total }] of expected) {
    const row = found.get(key)
    if (row?.readings !== readings || row.total !== total) different++
  }
  for (const key of found.keys()) if (!expected.has(key)) different++
  return different
}
