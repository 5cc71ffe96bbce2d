// npm run faults [-- --workload NAME] [--sample N]: fails every system call of every workload.
import { parseArgs } from 'node:util'
import { strikeAll, type Tally } from './strike-all.ts'
import { straceVersion, whyNoStrace } from './strace.ts'
import { allWorkloads } from './workloads.ts'

const { values } = parseArgs({
  options: { workload: { type: 'string' }, sample: { type: 'string', default: '1' } },
})
const missing = await whyNoStrace()
if (missing !== undefined) {
  console.error(`✗ System calls can't be failed here: ${missing}.`)
  process.exit(1)
}
console.error(`${straceVersion()}; Node ${process.version}`)
let broken = 0
const sums = { calls: 0, strikes: 0, struck: 0 }
for (const workload of await allWorkloads()) {
  if (values.workload !== undefined && workload.name !== values.workload) continue
  const tally = await strikeAll(workload, Number(values.sample))
  print(workload.name, tally)
  sums.calls += tally.calls
  sums.strikes += tally.strikes
  sums.struck += tally.struck
  broken += tally.broken.length
}
print('all', { ...sums, broken: [] })
console.log(broken === 0 ? '✓ Every promise held.' : `✗ ${broken} promises were broken.`)
process.exitCode = broken === 0 ? 0 : 1

function print(name: string, { calls, strikes, struck, broken: said }: Tally): void {
  const mark = said.length === 0 ? '✓' : '✗'
  console.log(`${mark} ${name}: ${calls} calls, ${strikes} lives, ${struck} struck`)
  for (const words of said) console.log(words.replaceAll(/^/gm, '    '))
}
