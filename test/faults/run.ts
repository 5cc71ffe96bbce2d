// Fails every system call of every workload.
import { CommandLine } from '../command-line.ts'
import { strikeAll, type Tally } from './strike-all.ts'
import { straceVersion, whyNoStrace } from './strace.ts'
import { allWorkloads } from './workloads.ts'

const help = `npm run faults [-- OPTIONS]: fails each system call of each workload, once with EIO, once with ENOSPC,
and once the process is killed there; then looks at what is left. Exit code 1 when a promise was broken.

  --workload NAME  only this one
  --sample N       only every n-th strike (default 1: all, which takes half an hour)`

const commandLine = new CommandLine(help, {
  options: { workload: { type: 'string' }, sample: { type: 'string', default: '1' } },
})
const everyNth = commandLine.count('sample', commandLine.values.sample)
const all = await allWorkloads()
const { workload: only } = commandLine.values
const workloads = all.filter(({ name }) => only === undefined || name === only)
if (workloads.length === 0) {
  const names = all.map(({ name }) => `  ${name}`).join('\n')
  commandLine.refuse(`There is no workload "${only}"; there are:\n${names}`)
}
const missing = await whyNoStrace()
if (missing !== undefined) {
  console.error(`✗ System calls can't be failed here: ${missing}.`)
  process.exit(1)
}
console.error(`${straceVersion()}; Node ${process.version}`)
let broken = 0
const sums = { calls: 0, strikes: 0, struck: 0 }
for (const workload of workloads) {
  const tally = await strikeAll(workload, everyNth)
  print(workload.name, tally)
  sums.calls += tally.calls
  sums.strikes += tally.strikes
  sums.struck += tally.struck
  broken += tally.broken.length
}
print('all', { ...sums, broken: [] })
if (sums.struck === 0)
  console.log('✗ Nothing was struck, so nothing was tried: take a smaller --sample.')
else console.log(broken === 0 ? '✓ Every promise held.' : `✗ ${broken} promises were broken.`)
process.exitCode = broken === 0 && sums.struck > 0 ? 0 : 1

function print(name: string, { calls, strikes, struck, broken: said }: Tally): void {
  const mark = said.length === 0 ? '✓' : '✗'
  console.log(`${mark} ${name}: ${calls} calls, ${strikes} lives, ${struck} struck`)
  for (const words of said) console.log(words.replaceAll(/^/gm, '    '))
}
