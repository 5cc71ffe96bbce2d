import type { Log } from '@millrace/core'
import type { DeadLetterEntry, KeptBack, RedriveResult } from '@millrace/processors'
import { type Command, Option } from 'commander'
import {
  acceptsLetter,
  type LetterFilter,
  letterFilterOptions,
} from '../dead-letters/letter-filter.ts'
import { exitCode } from '../exit-code.ts'
import { Interrupt } from '../interrupt.ts'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { counted, positiveInteger } from '../numbers.ts'
import { type OutputOption, outputOption, printRows } from '../table.ts'
import { say } from '../talk.ts'
import { withTopicSuggestion } from '../topic-suggestion.ts'

interface ShowOptions extends LogOption, LetterFilter {
  readonly count: number
  readonly output: 'text' | 'json'
}

interface RedriveCommandOptions extends LogOption, LetterFilter {
  readonly to?: string
  readonly dryRun?: boolean
}

const shownByDefault = 10

export default function define(command: Command): void {
  command
    .command('list [topic]')
    .description('list what went to the dead letters and is still open, grouped by cause')
    .addOption(logOption())
    .addOption(outputOption())
    .action(list)
  withFilter(command.command('show <topic>'))
    .description('show dead letters: the record as it was, why it was refused, what to do')
    .option('-n, --count <count>', 'at most that many', positiveInteger, shownByDefault)
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['text', 'json'])
        .default(process.stdout.isTTY ? 'text' : 'json', 'text on a terminal, else json'),
    )
    .addOption(logOption())
    .action(show)
  withFilter(command.command('redrive <topic>'))
    .description(
      'send the records behind dead letters again, exactly once, and close their letters',
    )
    .option('--to <topic>', 'send them there, and not to the topics that they came from')
    .option('--dry-run', 'say what would be sent, and send nothing')
    .addOption(logOption())
    .addHelpText('after', examples)
    .action(redrive)
}

const examples = `
Records keep their key, value, headers and time. Everybody who reads the topic meets them again.
Exit codes: 0 all were sent, 3 some were kept back.
Examples:
  millrace dlq redrive orders-dead-letters --cause 23514 --dry-run
  millrace dlq redrive orders-dead-letters --offset 0:1042
  millrace dlq redrive orders-dead-letters --to orders-repaired`

function withFilter(command: Command): Command {
  for (const option of letterFilterOptions()) command.addOption(option)
  return command
}

async function list(topic: string | undefined, options: LogOption & OutputOption): Promise<void> {
  const { causesOf } = await import('../dead-letters/list.ts')
  const groups = await withLog(options, 'read-only', (log) =>
    topic === undefined
      ? causesOf(log, undefined)
      : withTopicSuggestion(log, topic, () => causesOf(log, topic)),
  )
  const forTable = options.output === 'table'
  printRows(
    groups.map((group) =>
      forTable ? { ...group, example: shortened(group.example) } : { ...group },
    ),
    options,
  )
  if (groups.length === 0) say(`No dead letters in ${topic ?? options.log}.`)
}

const exampleColumns = 100

function shortened(text: string): string {
  const line = text.replaceAll(/\p{Cc}/gu, '·')
  return line.length > exampleColumns ? `${line.slice(0, exampleColumns)}…` : line
}

async function show(topic: string, options: ShowOptions): Promise<void> {
  const { letterToJson, letterToText } = await import('../dead-letters/letter-text.ts')
  const { writeData } = await import('../write-data.ts')
  let found = 0
  let isFirst = true
  await withLog(options, 'read-only', (log) =>
    withTopicSuggestion(log, topic, async () => {
      for await (const letter of chosenLetters(log, topic, options)) {
        found += 1
        if (found > options.count) continue
        const text =
          options.output === 'json'
            ? letterToJson(letter)
            : `${isFirst ? '' : '\n'}${letterToText(letter)}`
        isFirst = false
        await writeData(Buffer.from(`${text}\n`))
      }
    }),
  )
  if (found === 0) say(`No such dead letters in ${topic}.`)
  if (found > options.count) say(`${counted(found - options.count, 'more letter')}: -n ${found}`)
}

async function* chosenLetters(
  log: Log,
  topic: string,
  filter: LetterFilter,
): AsyncGenerator<DeadLetterEntry> {
  const { openDeadLetters } = await import('@millrace/processors')
  for await (const letters of openDeadLetters(log, topic)) {
    for (const letter of letters) if (acceptsLetter(filter, letter)) yield letter
  }
}

async function redrive(topic: string, options: RedriveCommandOptions): Promise<void> {
  const { redrive: send } = await import('@millrace/processors')
  const { to, dryRun: isDryRun = false } = options
  const interrupt = new Interrupt('Finishing what is in flight. Ctrl-C again stops at once.')
  try {
    const result = await withLog(options, isDryRun ? 'read-only' : 'read-write', (log) =>
      withTopicSuggestion(log, topic, () =>
        send(log, topic, {
          to,
          isDryRun,
          signal: interrupt.signal,
          accepts: (letter) => acceptsLetter(options, letter),
          onProgress: (so) => say(`${counted(sentOf(so), 'record')} sent so far.`),
        }),
      ),
    )
    sayResult(topic, result, isDryRun)
    process.exitCode =
      (result.isInterrupted ? interrupt.code : undefined) ??
      (keptOf(result) > 0 ? exitCode.partial : exitCode.ok)
  } finally {
    interrupt.stop()
  }
}

const sentOf = ({ sent }: RedriveResult): number => sum(Object.values(sent))
const keptOf = ({ kept }: RedriveResult): number => sum(Object.values(kept))
const sum = (counts: readonly number[]): number => counts.reduce((all, each) => all + each, 0)

/** Why a letter was kept back, and what to do. */
const reasons: Record<KeptBack, string> = {
  made: 'hold what a source or an operator made, which lay in no topic: send them to one with --to TOPIC',
  'no-topic': 'came from a topic that is no longer there: send them to another with --to TOPIC',
  'not-passed':
    'were written by a run that was killed before it passed them: run the pipeline again, which meets their records itself',
  'too-large': 'are larger than the topic takes: raise its maxMessageBytes',
}

function sayResult(topic: string, result: RedriveResult, isDryRun: boolean): void {
  for (const [target, count] of Object.entries(result.sent)) {
    say(`${counted(count, 'record')} ${isDryRun ? 'would be sent' : 'sent'} to ${target}.`)
  }
  for (const [reason, count] of Object.entries(result.kept)) {
    say(`${counted(count, 'letter')} kept back: they ${reasons[reason as KeptBack]}.`)
  }
  if (result.isInterrupted) say('Interrupted; the same command goes on with the rest.')
  else if (sentOf(result) + keptOf(result) === 0) say(`No such dead letters in ${topic}.`)
}
