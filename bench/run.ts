import { table, type Row } from './report.ts'

/** `npm run bench` measures everything; `npm run bench -- append read` what is named. */
const benches: Record<string, () => Promise<{ measure: () => Promise<Row[]> }>> = {
  append: () => import('./append.ts'),
  acknowledge: () => import('./acknowledge.ts'),
  read: () => import('./read.ts'),
  postgres: () => import('./postgres.ts'),
  load: () => import('./load.ts'),
  latency: () => import('./latency.ts'),
  memory: () => import('./memory.ts'),
  startup: () => import('./startup.ts'),
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(
    `No benchmark ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}.`,
  )
  process.exit(2)
}

const rows: Row[] = []
for (const [name, load] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  console.error(`measuring ${name} …`)
  rows.push(...(await (await load()).measure()))
}
console.log(table(rows))
