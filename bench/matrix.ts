import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draw, type Dot } from './chart.ts'
import { type MatrixCase, type MatrixFigures, measureCase } from './matrix-point.ts'
import { short } from './report.ts'

/** Everything but what a row of the matrix changes. */
const ordinary: MatrixCase = {
  valueBytes: 100,
  keys: 0,
  partitions: 4,
  batchBytes: 1024 * 1024,
  durability: 'fsync',
  compression: 'none',
  format: 'bytes',
}

/** One dimension of the work, and the values that it is tried with. */
interface Dimension {
  readonly name: string
  readonly title: string
  readonly cases: readonly (Partial<MatrixCase> & { readonly label?: string })[]
}

const dimensions: readonly Dimension[] = [
  {
    name: 'value-size',
    title: 'Size of a value, bytes',
    cases: [16, 100, 1024, 10_240, 102_400].map((valueBytes) => ({ valueBytes })),
  },
  { name: 'keys', title: 'Distinct keys', cases: [0, 10, 1000, 100_000].map((keys) => ({ keys })) },
  {
    name: 'partitions',
    title: 'Partitions',
    cases: [1, 10, 100, 1000].map((partitions) => ({ partitions })),
  },
  {
    name: 'batch-size',
    title: 'Size of a batch, bytes',
    cases: [4, 16, 64, 256, 1024].map((kib) => ({ batchBytes: kib * 1024 })),
  },
  {
    name: 'durability',
    title: 'Durability',
    cases: (['memory', 'os', 'fsync'] as const).map((durability) => ({ durability })),
  },
  {
    name: 'compression',
    title: 'Compression, of text that shrinks as words do',
    cases: (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map((compression) => ({
      compression,
    })),
  },
  {
    name: 'format',
    title: 'Format of a value',
    cases: (['bytes', 'string', 'json', 'json with a schema'] as const).map((format) => ({
      format,
    })),
  },
]

/** What {@link measureMatrix} can be asked for. */
export const dimensionNames: readonly string[] = dimensions.map(({ name }) => name)

const charts = join(import.meta.dirname, '../docs/charts')

/**
 * Changes one thing at a time, and shows how the cost of appending and reading grows with it; draws a
 * chart of each dimension into docs/charts.
 *
 * @returns a Markdown table.
 */
export async function measureMatrix(names: readonly string[]): Promise<string> {
  mkdirSync(charts, { recursive: true })
  const lines = [
    '| | | append | | read | | raw loop |',
    '|---|---|---|---|---|---|---|',
    '| | | records/s | MB/s | records/s | MB/s | MB/s |',
  ]
  for (const { name, title, cases } of dimensions) {
    if (names.length > 0 && !names.includes(name)) continue
    const dots: Dot[] = []
    for (const change of cases) {
      const x = Object.values(change)[0] ?? ''
      console.error(`measuring ${title}: ${x} …`)
      const figures = await measureCase({ ...ordinary, ...change })
      lines.push(line(title, String(x), figures))
      dots.push(...dotsOf(x, figures))
    }
    writeFileSync(join(charts, `${name}.svg`), await draw(title, dots))
  }
  return lines.join('\n')
}

function line(title: string, x: string, { appended, read, raw }: MatrixFigures): string {
  const cells = [
    title,
    x,
    short(appended.recordsPerSecond),
    appended.megabytesPerSecond.toFixed(0),
    short(read.recordsPerSecond),
    read.megabytesPerSecond.toFixed(0),
    raw.megabytesPerSecond.toFixed(0),
  ]
  return `| ${cells.join(' | ')} |`
}

function dotsOf(x: string | number, { appended, read, raw }: MatrixFigures): Dot[] {
  const named = Object.entries({ append: appended, read, 'raw write + fsync': raw })
  return named.flatMap(([series, speed]) => [
    { x, series, panel: 'records/s', y: speed.recordsPerSecond },
    { x, series, panel: 'MB/s', y: speed.megabytesPerSecond },
  ])
}
