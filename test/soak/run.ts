// A pipeline under steady load and random kills.
import { randomInt } from 'node:crypto'
import { CommandLine } from '../command-line.ts'
import { soak } from './soak.ts'
import { growth, type Measure, type Minute } from './samples.ts'
import { brokenPromises, calmRate } from './verdict.ts'

const help = `npm run soak [-- OPTIONS]: a pipeline under steady load. In the first half its process is killed at random,
in the second one life goes on. Exit code 1 when a sum was wrong, the disk not bounded, or memory or open files grew.

  --minutes N  how long (default 240)
  --rate N     records a second (default 20000)
  --seed N     the moments of the kills (default: drawn, and printed)`

const commandLine = new CommandLine(help, {
  options: {
    minutes: { type: 'string', default: '240' },
    rate: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
const { values } = commandLine
const plan = {
  minutes: commandLine.amount('minutes', values.minutes),
  rate: commandLine.count('rate', values.rate),
  seed: commandLine.count('seed', values.seed, 0),
}
console.error(`${plan.minutes} min at ${plan.rate} records/s; kills by seed ${plan.seed}`)
console.log('min      records  kills  RSS MB  files  disk MB  age p50 ms  p99 ms')

const result = await soak({ ...plan, onMinute: print })

console.log(
  '\nAt the end, and the most allowed: MB of each topic; offsets in the longest partition',
)
for (const { topic, bytes, bytesMax, ...lengths } of result.topics) {
  const length = lengths.offsets === undefined ? '' : `${lengths.offsets} / ${lengths.offsetsMax}`
  const cells = [`${mib(bytes)} / ${mib(bytesMax)}`.padStart(16), length.padStart(16)]
  console.log(`${cells.join('')}  ${topic}`)
}
console.log(
  '\nThe long life, last third against the first third (medians of minutes, after a warm-up):',
)
for (const measure of ['rssBytes', 'openFiles', 'p99AgeMs'] satisfies Measure[]) {
  const grown = growth(result.minutes, measure)
  const words = grown === undefined ? 'too short to tell' : `${grown.first} → ${grown.last}`
  console.log(`  ${measure.padEnd(10)} ${words}`)
}
console.log(`  ${rateKept(calmRate(result))}`)
const { records, kills, rows } = result
const broken = brokenPromises(plan, result)
const mark = broken.length === 0 ? '✓' : '✗'
console.log(`\n${mark} ${records} records, ${kills} kills, ${rows} rows compared`)
for (const words of broken) console.log(`  ✗ ${words}`)
process.exitCode = broken.length === 0 ? 0 : 1

function print({ minute, records: made, kills: killed, ...medians }: Minute): void {
  const { rssBytes, openFiles, diskBytes, p50AgeMs, p99AgeMs } = medians
  const cells = [minute, made, killed, mib(rssBytes), openFiles, mib(diskBytes), p50AgeMs, p99AgeMs]
  const widths = [3, 13, 7, 8, 7, 9, 12, 8]
  console.log(cells.map((cell, n) => String(cell).padStart(widths[n] ?? 0)).join(''))
}

function rateKept(rate: number | undefined): string {
  if (rate === undefined) return 'Too short to say whether the machine keeps the rate.'
  const made = `${Math.round(rate)} of ${plan.rate} records/s were made`
  if (rate > 0.97 * plan.rate) return `The machine kept the rate: ${made}.`
  return `The machine did not keep the rate: ${made}. Ages tell of the machine, then.`
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
