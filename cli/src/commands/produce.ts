import type { Producer } from '@millrace/core'
import { type Command, Option } from 'commander'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { counted, nonNegativeInteger } from '../numbers.ts'
import type { ProducedRecord } from '../records/record-json.ts'
import { say } from '../talk.ts'

interface ProduceOptions extends LogOption {
  readonly input: 'lines' | 'json'
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
        'lines: a value each; json: an object each, as consume prints',
      )
        .choices(['lines', 'json'])
        .default('lines'),
    )
    .option('-K, --key-separator <text>', 'lines are KEY<text>VALUE; \\t is a tab')
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
  millrace consume flights --from-beginning -e -o json | millrace produce copy -i json`

async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const { Producer } = await import('@millrace/core')
  const { withTopicSuggestion } = await import('../topic-suggestion.ts')
  const { lineReader } = await import('../records/record-lines.ts')
  const readLine = lineReader(options)
  await withLog(options, 'read-write', async (log) => {
    await withTopicSuggestion(log, topic, () => log.describeTopic(topic))
    const producer = new Producer(log)
    try {
      const count = await sendLines(producer, topic, readLine, options.partition)
      if (options.quiet !== true) say(`Appended ${counted(count, 'record')} to ${topic}.`)
    } finally {
      await producer.close()
    }
  })
}

/** Chunks of lines on their way into the log, so that one sync serves many. */
const chunksUnderWay = 32

async function sendLines(
  producer: Producer,
  topic: string,
  readLine: (line: Buffer, number: number) => ProducedRecord,
  partition: number | undefined,
): Promise<number> {
  const { lines } = await import('../records/lines.ts')
  const underWay: Promise<unknown>[] = []
  let count = 0
  for await (const some of lines(process.stdin)) {
    const sent = some.map((line) => {
      const record = { topic, ...readLine(line, count + 1) }
      count++
      return producer.send(partition === undefined ? record : { ...record, partition })
    })
    const acknowledged = Promise.all(sent)
    // It is awaited later; until then its failure is nobody's.
    acknowledged.catch(() => {})
    underWay.push(acknowledged)
    if (underWay.length >= chunksUnderWay) await underWay.shift()
  }
  await Promise.all(underWay)
  return count
}
