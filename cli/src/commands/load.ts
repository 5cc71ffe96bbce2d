import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { LoadResult } from '@millrace/connectors'
import { exitCode } from '../exit-code.ts'
import { Interrupt } from '../interrupt.ts'
import { addLoadOptions, type LoadCommandOptions } from '../load/load-options.ts'
import { counted, shortDuration } from '../numbers.ts'
import { loadMeter } from '../progress/load-meter.ts'
import { progressView } from '../progress/progress-view.ts'
import { paint, say } from '../talk.ts'

export default function define(command: Command): void {
  command.argument(
    '<file...>',
    "Parquet, CSV or NDJSON, the latter two also as gzip or zstd; 'data/*.csv'; or a database, as postgres://…",
  )
  addLoadOptions(command)
  command.addHelpText('after', examples).action(load)
}

const examples = `
Rows and position are committed together: a load that was killed goes on where it stopped, and a
second run does nothing.

Examples:
  millrace load flights.parquet --to postgres://localhost/mill --table flights --create
  millrace load 'orders-*.csv.gz' --table orders --rejects bad.csv
  millrace load postgres://old/shop --from-table orders --to postgres://new/shop --table orders`

async function load(words: string[], options: LoadCommandOptions): Promise<void> {
  const { startLoad, planLoad } = await import('../load/start-load.ts')
  if (options.dryRun === true) return planLoad(words, options)
  const label = words.length === 1 ? withoutDatabase(words[0] ?? '') : `${words.length} files`
  const start = startLoad(words, options)
  const view = await progressView(options)
  const interrupt = new Interrupt('Committing what is under way. Ctrl-C again stops at once.')
  try {
    const result = await start({
      signal: interrupt.signal,
      onProgress: (progress) => view.update([loadMeter(label, progress)]),
      onNotice: (message) => view.notice(message),
    })
    view.stop()
    conclude(result, label, options)
    const isPartial = result.rejected > 0
    process.exitCode =
      result.outcome === 'stopped' ? interrupt.code : isPartial ? exitCode.partial : exitCode.ok
  } catch (error) {
    view.stop()
    throw error
  } finally {
    interrupt.stop()
  }
}

/** A database's URL may hold a password. */
function withoutDatabase(word: string): string {
  if (word === '-') return 'standard input'
  return /^postgres(ql)?:\/\//.test(word) ? 'the database' : word
}

function conclude(result: LoadResult, label: string, options: LoadCommandOptions): void {
  const { outcome, rows, rowsBefore, elapsedMs, rejected } = result
  const { table, rejects } = options
  const inTable = `${rows} ${rows === 1 ? 'row' : 'rows'}`
  const took = shortDuration(elapsedMs / 1000)
  const done = paint('green', '✓')
  if (rejected > 0) {
    say(`${paint('yellow', '!')} ${counted(rejected, 'record')} refused: ${whereKept(rejects)}`)
  }
  if (outcome === 'unchanged') return say(`${done} ${label} is in ${table} already: ${inTable}.`)
  const resumed = rowsBefore > 0 ? `, ${rowsBefore} of them by earlier runs` : ''
  if (outcome === 'loaded')
    return say(`${done} ${table} has ${inTable} of ${label}${resumed}, in ${took}.`)
  say(
    `${paint('yellow', '■')} Stopped after ${inTable}${resumed}; the same command goes on from there.`,
  )
}

/** An earlier run may have kept them under another name. */
function whereKept(rejects: string | undefined): string {
  if (rejects !== undefined && existsSync(rejects)) {
    return `see ${rejects}, and why in ${rejects}.causes.ndjson.`
  }
  return 'see the file that an earlier run named with --rejects, or the table millrace_rejects.'
}
