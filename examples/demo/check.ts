import { parquet } from 'millrace'
import type { Client } from 'pg'
import { flightsFile, lateMinutes, limit } from './flights.ts'

/** One comparison of two figures that must be equal. */
export interface Check {
  readonly what: string
  readonly expected: string
  readonly found: string
}

/** Counts and sums of the file, read again without the log or the database. */
async function fileFigures() {
  const reader = await parquet(flightsFile, limit).open({
    position: undefined,
    signal: new AbortController().signal,
  })
  const figures = { rows: 0, delay: 0, distance: 0 }
  for await (const batch of reader.batches()) {
    for (const row of batch.rows) {
      figures.rows += 1
      figures.delay += Number(row['delay'])
      figures.distance += Number(row['distance'])
    }
  }
  await reader.close()
  return figures
}

const windowsRecomputed = `
  WITH expected AS (
    SELECT origin, date_trunc('hour', date, 'UTC') AS window_start,
           count(*) AS flights, sum(delay) AS delay, max(delay) AS worst
    FROM flights WHERE delay > ${lateMinutes} GROUP BY 1, 2)
  SELECT (SELECT count(*) FROM expected) AS expected,
         (SELECT count(*) FROM delays_by_hour) AS found,
         count(*) FILTER (WHERE e.flights IS DISTINCT FROM d.flights OR e.delay IS DISTINCT FROM d.delay
                             OR e.worst IS DISTINCT FROM d.worst) AS different
  FROM expected e FULL JOIN delays_by_hour d USING (origin, window_start)`

/** Holds both tables against the file and against each other, by SQL. */
export async function checkTables(database: Client): Promise<Check[]> {
  const file = await fileFigures()
  const raw = await one(
    database,
    'SELECT count(*) AS rows, sum(delay) AS delay, sum(distance) AS distance FROM flights',
  )
  const windows = await one(database, windowsRecomputed)
  return [
    { what: 'flights: rows', expected: `${file.rows}`, found: String(raw['rows']) },
    { what: 'flights: sum of delay', expected: `${file.delay}`, found: String(raw['delay']) },
    {
      what: 'flights: sum of distance',
      expected: `${file.distance}`,
      found: String(raw['distance']),
    },
    {
      what: 'delays_by_hour: windows',
      expected: String(windows['expected']),
      found: String(windows['found']),
    },
    {
      what: 'delays_by_hour: different from the raw table',
      expected: '0',
      found: String(windows['different']),
    },
  ]
}

async function one(database: Client, sql: string): Promise<Record<string, unknown>> {
  const { rows } = await database.query<Record<string, unknown>>(sql)
  return rows[0] ?? {}
}
