import type { Producer, TopicDescription } from '@millrace/core'
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
    const described = await withTopicSuggestion(log, topic, () => log.describeTopic(topic))
    const producer = new Producer(log)
    try {
      const count = await sendLines(producer, described, readLine, options.partition)
      if (options.quiet !== true) say(`Appended ${counted(count, 'record')} to ${topic}.`)
    } finally {
      await producer.close()
    }
  })
}

async function sendLines(
  producer: Producer,
  { name: topic, config }: TopicDescription,
  readLine: (line: Buffer, number: number) => ProducedRecord,
  partition: number | undefined,
): Promise<number> {
  const { lines } = await import('../records/lines.ts')
  const { expectRoom, SentLines } = await import('../records/sent-lines.ts')
  const sent = new SentLines()
  try {
    for await (const some of lines(process.stdin)) {
      const acknowledgements: PromiseLike<unknown>[] = []
      try {
        for (const line of some) {
          const number = sent.count + acknowledgements.length + 1
          const record = { topic, ...readLine(line, number) }
          expectRoom(record, number, config.maxMessageBytes)
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
