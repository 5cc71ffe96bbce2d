// npm run soak [-- --minutes 240 --rate 20000 --seed N]: a pipeline under steady load and random kills.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'
import { growth, type Measure, type Minute } from './samples.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '240' },
    rate: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
const plan = {
  minutes: Number(values.minutes),
  rate: Number(values.rate),
  seed: Number(values.seed),
}
console.error(`${plan.minutes} min at ${plan.rate} records/s; kills by seed ${plan.seed}`)
console.log('min      records  kills  RSS MB  files  disk MB  age p50 ms  p99 ms')

const result = await soak({ ...plan, onMinute: print })

console.log(`\nBytes by topic at the end:`)
for (const [topic, bytes] of result.topics) console.log(`${mib(bytes).padStart(10)} MB  ${topic}`)
console.log('\nLast third against the first third (medians, after a warm-up of a fifth):')
const measures: readonly Measure[] = ['rssBytes', 'openFiles', 'diskBytes', 'p99AgeMs']
for (const measure of measures) {
  const times = growth(result.minutes, measure)
  console.log(`  ${measure.padEnd(10)} × ${times.toFixed(2)}${times > 1.3 ? '  ← grows' : ''}`)
}
const { records, kills, rows, different, late, skipped } = result
const isExact = different === 0 && late === 0 && skipped === 0
console.log(
  `\n${isExact ? '✓' : '✗'} ${records} records, ${kills} kills: ${different} of ${rows} rows different, ${late} late, ${skipped} skipped`,
)
process.exitCode = isExact ? 0 : 1

function print({ minute, records: made, kills: killed, ...medians }: Minute): void {
  const { rssBytes, openFiles, diskBytes, p50AgeMs, p99AgeMs } = medians
  const cells = [minute, made, killed, mib(rssBytes), openFiles, mib(diskBytes), p50AgeMs, p99AgeMs]
  const widths = [3, 13, 7, 8, 7, 9, 12, 8]
  console.log(cells.map((cell, n) => String(cell).padStart(widths[n] ?? 0)).join(''))
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
