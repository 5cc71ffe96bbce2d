import { parseArgs } from 'node:util'
import { table, type Row } from './report.ts'

/**
 * `npm run bench` measures everything; `npm run bench -- append read` what is named.
 * `--compare REV` measures this tree against a revision of it; `--json` prints rows for programs.
 * `npm run bench -- cost` shows where each nanosecond and byte of a record goes.
 * `npm run bench -- matrix` shows how cost grows with the work, and draws docs/charts.
 */
const benches: Record<string, () => Promise<{ measure: () => Promise<Row[]> }>> = {
  append: () => import('./append.ts'),
  acknowledge: () => import('./acknowledge.ts'),
  many: () => import('./many.ts'),
  restore: () => import('./restore.ts'),
  read: () => import('./read.ts'),
  postgres: () => import('./postgres.ts'),
  'bad-rows': () => import('./bad-rows.ts'),
  load: () => import('./load.ts'),
  latency: () => import('./latency.ts'),
  memory: () => import('./memory.ts'),
  startup: () => import('./startup.ts'),
  threads: () => import('./threads.ts'),
}

const { values: options, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: { compare: { type: 'string' }, json: { type: 'boolean' } },
})

if (asked[0] === 'cost') {
  const { measureCost } = await import('./cost.ts')
  console.log(await measureCost())
} else if (asked[0] === 'matrix') {
  const { measureMatrix } = await import('./matrix.ts')
  console.log(await measureMatrix(asked.slice(1)))
} else {
  const unknown = asked.filter((name) => !(name in benches))
  if (unknown.length > 0) {
    const known = [...Object.keys(benches), 'cost', 'matrix'].join(', ')
    console.error(`No benchmark ${unknown.join(', ')}; there are: ${known}.`)
    process.exit(2)
  }
  if (options.compare !== undefined) {
    const { compareWith } = await import('./compare.ts')
    console.log(compareWith(options.compare, asked))
  } else {
    const rows = await measureAll()
    console.log(options.json === true ? JSON.stringify(rows) : table(rows))
  }
}

async function measureAll(): Promise<Row[]> {
  const rows: Row[] = []
  for (const [name, load] of Object.entries(benches)) {
    if (asked.length > 0 && !asked.includes(name)) continue
    console.error(`measuring ${name} …`)
    rows.push(...(await (await load()).measure()))
  }
  return rows
}
