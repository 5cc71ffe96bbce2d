import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'

/** The demo's log and its tables do not belong together; nothing was changed. */
export class DifferentDemoError extends Error {}

/**
 * Takes `home` for a run over the first `limit` flights (all when undefined), or goes on with the run
 * that is there.
 *
 * @throws DifferentDemoError when the run there has another limit, or when the tables have rows while
 *   the log that wrote them is gone: loading again would double them.
 */
export async function claimHome(database: Client, home: string, limit?: string): Promise<void> {
  const note = join(home, 'limit')
  const wanted = limit ?? 'all'
  if (existsSync(join(home, 'log'))) {
    const there = existsSync(note) ? readFileSync(note, 'utf8') : 'all'
    if (there === wanted) return
    throw new DifferentDemoError(
      `${home} holds a run over ${there} flights, not ${wanted}: use --fresh to drop it and start again.`,
    )
  }
  const { rows } = await database.query<{ flights: string | null }>(
    "SELECT to_regclass('flights') AS flights",
  )
  if (rows[0]?.flights) {
    throw new DifferentDemoError(
      `The database has a table "flights" but ${join(home, 'log')} is gone: use --fresh to drop the demo's tables.`,
    )
  }
  mkdirSync(home, { recursive: true })
  writeFileSync(note, wanted)
}
