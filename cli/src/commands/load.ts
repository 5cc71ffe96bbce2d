import { type Command, Option } from 'commander'
import type { LoadResult } from '@millrace/connectors'
import { exitCode } from '../exit-code.ts'
import { Interrupt } from '../interrupt.ts'
import { shortCount, shortDuration } from '../numbers.ts'
import { loadMeter } from '../progress/load-meter.ts'
import { progressView } from '../progress/progress-view.ts'
import { paint, say } from '../talk.ts'

/** What `millrace load` can be told. */
export interface LoadCommandOptions {
  readonly to?: string
  readonly table: string
  readonly mode?: 'append' | 'upsert'
  readonly key?: readonly string[]
  readonly create?: boolean
  readonly format?: 'parquet' | 'csv' | 'ndjson'
  readonly name?: string
  readonly quiet?: boolean
}

export default function define(command: Command): void {
  command
    .argument('<file>', 'Parquet, CSV or NDJSON; the latter two also compressed')
    .addOption(new Option('--to <url>', 'the database, as postgres://…').env('DATABASE_URL'))
    .requiredOption('--table <name>', 'table, or schema.table')
    .addOption(
      new Option(
        '--mode <mode>',
        'a row for each record, or one for each key (default with --key)',
      ).choices(['append', 'upsert']),
    )
    .option('--key <columns>', 'what identifies a row: columns, separated by commas', columnList)
    .option('--create', 'make the table when it is missing')
    .addOption(
      new Option('--format <format>', "of the file; default by its name's ending").choices([
        'parquet',
        'csv',
        'ndjson',
      ]),
    )
    .option('--name <name>', 'what the load is remembered by; another name loads the file again')
    .option('-q, --quiet', 'no progress')
    .addHelpText('after', examples)
    .action(load)
}

const examples = `
Rows and position are committed together: a load that was killed goes on where it stopped, and a
second run does nothing.

Example:
  millrace load flights.parquet --to postgres://localhost/mill --table flights --create`

function columnList(text: string): string[] {
  return text.split(',').map((column) => column.trim())
}

async function load(file: string, options: LoadCommandOptions): Promise<void> {
  const { openLoad } = await import('../open-load.ts')
  const start = openLoad(file, options)
  const view = await progressView(options)
  const interrupt = new Interrupt('Committing what is under way. Ctrl-C again stops at once.')
  try {
    const result = await start({
      signal: interrupt.signal,
      onProgress: (progress) => view.update([loadMeter(file, progress)]),
      onNotice: (message) => view.notice(message),
    })
    view.stop()
    conclude(result, file, options.table)
    process.exitCode = result.outcome === 'stopped' ? interrupt.code : exitCode.ok
  } catch (error) {
    view.stop()
    throw error
  } finally {
    interrupt.stop()
  }
}

function conclude(result: LoadResult, file: string, table: string): void {
  const { outcome, rows, rowsBefore, elapsedMs } = result
  const took = shortDuration(elapsedMs / 1000)
  const done = paint('green', '✓')
  if (outcome === 'unchanged') return say(`${done} ${file} is in ${table} already: ${rows} rows.`)
  const resumed = rowsBefore > 0 ? `, ${shortCount(rowsBefore)} of them by earlier runs` : ''
  if (outcome === 'loaded')
    return say(`${done} ${table} has ${rows} rows of ${file}${resumed}, in ${took}.`)
  say(
    `${paint('yellow', '■')} Stopped after ${rows} rows${resumed}; the same command goes on from there.`,
  )
}
