import type { Producer, TopicDescription } from '@millrace/core'
import { type Command, Option } from 'commander'
import { Interrupt } from '../interrupt.ts'
import { columnList, nonEmpty, pairs } from '../columns-option.ts'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { counted, nonNegativeInteger } from '../numbers.ts'
import type { CsvInput } from '../records/csv-input.ts'
import type { ProducedRecord } from '../records/record-json.ts'
import { say } from '../talk.ts'

interface ProduceOptions extends LogOption, CsvInput {
  readonly input: 'lines' | 'json' | 'csv'
  readonly keySeparator?: string
  readonly partition?: number
  readonly quiet?: boolean
}

export default function define(command: Command): void {
  command
    .argument('<topic>')
    .addOption(
      new Option(
        '-i, --input <format>',
        'lines: a value each; json: an object each, as consume prints; csv: columns become properties',
      )
        .choices(['lines', 'json', 'csv'])
        .default('lines'),
    )
    .option('-K, --key-separator <text>', 'lines are KEY<text>VALUE; \\t is a tab', nonEmpty)
    .option('--key <columns>', 'CSV: columns that make the key', columnList)
    .option('--type <column=type>', 'CSV: int64, float64, boolean, json; else text', pairs)
    .option('--delimiter <character>', 'CSV: between fields; tab as \\t (default: as in line 1)')
    .option('-p, --partition <number>', 'instead of choosing by the key', nonNegativeInteger)
    .option('-q, --quiet', 'no last word')
    .addOption(logOption())
    .addHelpText('after', examples)
    .action(produce)
}

const examples = `
Examples:
  seq 3 | millrace produce numbers
  echo 'ORD:{"delay":12}' | millrace produce flights -K :
  millrace produce flights -i csv --key origin --type delay=int64 < flights.csv
  millrace consume flights --from-beginning -e -o json | millrace produce copy -i json`

async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const { Producer } = await import('@millrace/core')
  const { makeTopic, withTopicSuggestion } = await import('../topic-suggestion.ts')
  const interrupt = new Interrupt('')
  try {
    const records = await recordsOf(options, interrupt.signal)
    await withLog(options, 'read-write', async (log) => {
      const describe = () => log.describeTopic(topic)
      const described = await withTopicSuggestion(log, topic, describe, makeTopic)
      const producer = new Producer(log)
      try {
        const count = await sendAll(producer, described, records, options)
        if (options.quiet !== true) say(`Appended ${counted(count, 'record')} to ${topic}.`)
      } finally {
        await producer.close()
      }
    })
    process.exitCode = interrupt.code
  } finally {
    interrupt.stop()
  }
}

/** What comes on standard input, some at a time. @throws UsageError options of another format. */
async function recordsOf(
  options: ProduceOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Iterable<ProducedRecord>>> {
  const { input, keySeparator } = options
  const ofCsv = (['key', 'type', 'delimiter'] as const).find((name) => options[name] !== undefined)
  if (ofCsv !== undefined && input !== 'csv') throw await usage(`--${ofCsv} is for CSV: -i csv.`)
  if (keySeparator !== undefined && input !== 'lines') {
    const next = input === 'csv' ? 'name the columns of the key: --key COLUMNS' : 'leave it out'
    throw await usage(`--key-separator is for lines; with -i ${input} ${next}.`)
  }
  if (input === 'csv') return (await import('../records/csv-input.ts')).csvRecords(options, signal)
  const { lineRecords } = await import('../records/record-lines.ts')
  return lineRecords({ input, ...(keySeparator !== undefined && { keySeparator }) }, signal)
}

async function usage(message: string): Promise<Error> {
  const { UsageError } = await import('@millrace/core')
  return new UsageError('USAGE', message)
}

async function sendAll(
  producer: Producer,
  { name: topic, config }: TopicDescription,
  records: AsyncIterable<Iterable<ProducedRecord>>,
  { input, partition }: ProduceOptions,
): Promise<number> {
  const { expectRoom, SentLines } = await import('../records/sent-lines.ts')
  const unit = input === 'csv' ? 'record' : 'line'
  const sent = new SentLines(unit)
  try {
    for await (const some of records) {
      const acknowledgements: PromiseLike<unknown>[] = []
      try {
        for (const each of some) {
          const record = { topic, ...each }
          const number = sent.count + acknowledgements.length + 1
          expectRoom(record, unit, number, config.maxMessageBytes)
          acknowledgements.push(
            producer.send(partition === undefined ? record : { ...record, partition }),
          )
        }
      } finally {
        sent.add(acknowledgements)
      }
      await sent.room()
    }
    await sent.room(0)
  } catch (error) {
    throw await sent.explain(error)
  }
  return sent.count
}
