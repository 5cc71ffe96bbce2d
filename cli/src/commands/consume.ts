import { type Command, Option } from 'commander'
import type { Log, PartitionDescription, TopicDescription } from '@millrace/core'
import { Interrupt } from '../interrupt.ts'
import { columnList, nonEmpty } from '../columns-option.ts'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { nonNegativeInteger, positiveInteger } from '../numbers.ts'
import type { RecordFormat, RecordPrinter } from '../records/record-printer.ts'
import type { ReadPlan } from '../records/read-partitions.ts'
import { type Start, startOption } from '../records/start-option.ts'
import type { TableFormat } from '../records/table-printer.ts'
import { say } from '../talk.ts'

interface ConsumeOptions extends LogOption {
  readonly fromBeginning?: boolean
  readonly offset?: Start
  readonly partition?: number
  readonly count?: number
  readonly group?: string
  readonly exit?: boolean
  readonly isolationLevel: 'read_committed' | 'read_uncommitted'
  readonly output: RecordFormat | TableFormat
  readonly columns?: readonly string[]
}

export default function define(command: Command): void {
  command
    .argument('<topic>')
    .option('--from-beginning', 'from the oldest record; else only new ones')
    .addOption(
      new Option(
        '--offset <start>',
        'from an offset, -N for the last N of each partition, earliest, latest, or a time',
      )
        .argParser(startOption)
        .conflicts('fromBeginning'),
    )
    .option('-p, --partition <number>', 'only this partition', nonNegativeInteger)
    .option('-n, --count <count>', 'stop after that many records', positiveInteger)
    .option(
      '-g, --group <name>',
      'go on where the group has got to, and commit what is printed',
      nonEmpty,
    )
    .option('-e, --exit', 'stop at the end of what is there now')
    .addOption(
      new Option('--isolation-level <level>', 'whether to wait for transactions to be committed')
        .choices(['read_committed', 'read_uncommitted'])
        .default('read_committed'),
    )
    .addOption(
      new Option(
        '-o, --output <format>',
        'how to print; value: what produce took, a line each; csv, parquet: columns of key and value',
      )
        .choices(['text', 'json', 'value', 'csv', 'parquet'])
        .default(process.stdout.isTTY ? 'text' : 'json', 'text on a terminal, else json'),
    )
    .option('--columns <names>', 'of csv and parquet; default: those of the records', columnList)
    .addOption(logOption())
    .addHelpText('after', examples)
    .action(consume)
}

const examples = `
Reading beside a running writer is fine, except with --group, which writes to the log itself.

Examples:
  millrace consume flights --from-beginning -n 3
  millrace consume flights --offset -10 --exit
  millrace consume flights --offset 2026-01-31T12:00Z -o json | jq .value
  millrace consume flights --from-beginning -e -o parquet > flights.parquet`

async function consume(name: string, options: ConsumeOptions): Promise<void> {
  const { makeTopic, withTopicSuggestion } = await import('../topic-suggestion.ts')
  const interrupt = new Interrupt('')
  try {
    const access = options.group === undefined ? 'read-only' : 'read-write'
    await withLog(options, access, async (log) => {
      const describe = () => log.describeTopic(name)
      const topic = await withTopicSuggestion(log, name, describe, makeTopic)
      await print(log, topic, options, interrupt.signal)
    })
    process.exitCode = interrupt.code
  } finally {
    interrupt.stop()
  }
}

async function print(
  log: Log,
  topic: TopicDescription,
  options: ConsumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { fromBeginning, offset, exit = false, isolationLevel: isolation, count, group } = options
  const start = offset ?? { at: fromBeginning === true ? 'earliest' : 'latest' }
  if (process.stderr.isTTY && 'at' in start && start.at === 'latest' && !exit) {
    say(`Waiting for new records in ${topic.name}; --from-beginning shows the old ones.`)
  }
  const { readPartitions } = await import('../records/read-partitions.ts')
  const { writeData } = await import('../write-data.ts')
  const partitions = await chosenPartitions(topic, options.partition)
  const stored = group === undefined ? [] : await log.readPositions(group)
  const plan = { topic, partitions, start, stored, isolation, untilEnd: exit }
  const printer = await printerOf(log, plan, options, signal)
  let left = count ?? Infinity
  for await (const fetched of readPartitions(log, plan, signal)) {
    const printed = await printer.print(fetched, left)
    await writeData(printed.bytes)
    if (group !== undefined && printed.next !== undefined) {
      const place = { topic: topic.name, topicId: topic.topicId, partition: fetched.partition }
      await log.commitPositions({ group, positions: [{ ...place, position: printed.next }] })
    }
    left -= printed.count
    if (left === 0) break
  }
  await writeData(await printer.end())
  if (exit && left === (count ?? Infinity) && isDefaultStart(options)) {
    say(`Nothing came: that is only what is new. --from-beginning prints what is in ${topic.name}.`)
  }
}

function isDefaultStart({ fromBeginning, offset, group }: ConsumeOptions): boolean {
  return fromBeginning !== true && offset === undefined && group === undefined
}

/** @throws UsageError where the format can't go. */
async function printerOf(
  log: Log,
  plan: ReadPlan,
  { output, columns, group, count }: ConsumeOptions,
  signal: AbortSignal,
): Promise<RecordPrinter> {
  const { linePrinter } = await import('../records/record-printer.ts')
  if (output !== 'csv' && output !== 'parquet') {
    if (columns === undefined) return linePrinter(plan.topic.name, output)
    const { UsageError } = await import('@millrace/core')
    throw new UsageError('USAGE', '--columns is for tables: -o csv, or -o parquet.')
  }
  const { expectPlaceFor, tablePrinter } = await import('../records/table-printer.ts')
  expectPlaceFor(output, group)
  return tablePrinter(output, columns ?? [], log, plan, count ?? Infinity, signal)
}

/** @throws UsageError when the topic has no such partition. */
async function chosenPartitions(
  { name, partitions }: TopicDescription,
  chosen: number | undefined,
): Promise<readonly PartitionDescription[]> {
  if (chosen === undefined) return partitions
  const found = partitions.filter(({ partition }) => partition === chosen)
  if (found.length > 0) return found
  const { UsageError } = await import('@millrace/core')
  const last = partitions.length - 1
  throw new UsageError('USAGE', `Topic ${name} has partitions 0 to ${last}, and no ${chosen}.`)
}
