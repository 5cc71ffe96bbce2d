import { styleText } from 'node:util'
import type { Client } from 'pg'

const barWidth = 32

/** The ten hours with the most minutes of delay, as bars. */
export async function worstHours(database: Client): Promise<string> {
  const { rows } = await database.query<{
    hour: string
    flights: number
    minutes: number
    airport: string
  }>(`
    WITH by_hour AS (
      SELECT window_start, sum(flights)::int AS flights, sum(delay)::int AS minutes
      FROM delays_by_hour GROUP BY 1 ORDER BY minutes DESC LIMIT 10)
    SELECT to_char(h.window_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:00') AS hour, h.flights, h.minutes,
           (SELECT origin FROM delays_by_hour d WHERE d.window_start = h.window_start
            ORDER BY delay DESC LIMIT 1) AS airport
    FROM by_hour h ORDER BY h.minutes DESC`)
  const most = rows[0]?.minutes ?? 1
  const lines = rows.map((row) => {
    const bar = '█'.repeat(Math.max(1, Math.round((row.minutes / most) * barWidth)))
    const minutes = row.minutes.toLocaleString('en-US').padStart(8)
    return `  ${row.hour}  ${styleText('yellow', bar.padEnd(barWidth))} ${minutes} min, ${row.flights} late flights, most at ${row.airport}`
  })
  return ['The worst hours (UTC), by minutes of delay:', ...lines].join('\n')
}
