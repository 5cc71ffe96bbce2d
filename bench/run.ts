import { parseArgs } from 'node:util'
import { table, type Row } from './report.ts'

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

const help = `npm run bench [-- NAME...] [OPTIONS]: measures everything, or what is named, each against a baseline of the same
run.

  NAME           ${Object.keys(benches).join(', ')}
  cost           where each nanosecond and byte of a record goes
  matrix [NAME]  how cost grows with the work; draws docs/charts
  --compare REV  measures this tree against a revision of it
  --json         rows for programs`

const { values: options, positionals: asked } = readWords()
const [first, ...rest] = asked
if (first === 'cost') {
  if (rest.length > 0) refuse('cost is measured by itself.')
  const { measureCost } = await import('./cost.ts')
  console.log(await measureCost())
} else if (first === 'matrix') {
  const { dimensionNames, measureMatrix } = await import('./matrix.ts')
  const unknown = rest.filter((name) => !dimensionNames.includes(name))
  if (unknown.length > 0) {
    refuse(`The matrix has no ${unknown.join(', ')}; it has ${dimensionNames.join(', ')}.`)
  }
  console.log(await measureMatrix(rest))
} else {
  const unknown = asked.filter((name) => !(name in benches))
  if (unknown.length > 0) refuse(`There is no benchmark ${unknown.join(', ')}.`)
  if (options.compare !== undefined) {
    const { compareWith } = await import('./compare.ts')
    console.log(compareWith(options.compare, asked))
  } else {
    const rows = await measureAll()
    console.log(options.json === true ? JSON.stringify(rows) : table(rows))
  }
}

function readWords() {
  try {
    const config = {
      allowPositionals: true,
      options: {
        compare: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    } as const
    const words = parseArgs(config)
    if (words.values.help !== true) return words
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error))
  }
  console.log(help)
  process.exit(0)
}

function refuse(mistake: string): never {
  console.error(`✗ ${mistake}\n\n${help}`)
  process.exit(2)
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
