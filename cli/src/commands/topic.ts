import type { NewTopic, TopicConfig, TopicDescription } from '@millrace/core'
import type { Command } from 'commander'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { type OutputOption, outputOption, printRows } from '../table.ts'
import { say } from '../talk.ts'
import { counted, positiveInteger } from '../numbers.ts'
import { topicConfigHelp, topicSetting } from '../topic-config.ts'
import { withTopicSuggestion } from '../topic-suggestion.ts'

export default function define(command: Command): void {
  command
    .command('list')
    .description('list the topics')
    .option('-a, --all', 'also those that pipelines made for themselves')
    .addOption(logOption())
    .addOption(outputOption())
    .action(list)
  command
    .command('create <topic>')
    .description('create a topic')
    .option('-p, --partitions <count>', 'number of partitions', positiveInteger, 1)
    .option('-c, --config <name=value>', 'a setting (may be repeated)', topicSetting)
    .addOption(logOption())
    .addHelpText('after', topicConfigHelp)
    .action(create)
  command
    .command('describe <topic>')
    .description('show the settings and partitions of a topic')
    .addOption(logOption())
    .addOption(outputOption())
    .action(describe)
  command
    .command('alter <topic>')
    .description('change settings of a topic')
    .requiredOption('-c, --config <name=value>', 'a setting (may be repeated)', topicSetting)
    .addOption(logOption())
    .addHelpText('after', topicConfigHelp)
    .action(alter)
  command
    .command('add-partitions <topic>')
    .argument('<total>', 'partitions in all', positiveInteger)
    .description('grow a topic; existing records stay where they are')
    .addOption(logOption())
    .action(addPartitions)
  command
    .command('delete <topic>')
    .description('delete a topic and its records')
    .option('-y, --yes', 'without asking')
    .addOption(logOption())
    .action(remove)
}

async function list(options: LogOption & OutputOption & { all?: true }): Promise<void> {
  const topics = await withLog(options, 'read-only', (log) => log.listTopics())
  const shown = topics.filter(({ internal }) => options.all === true || !internal)
  printRows(shown.map(summary), options)
  if (shown.length === 0) say(`No topics in ${options.log} yet.`)
}

/** Offsets count transaction markers too, so they are a little more than the records. */
function summary(topic: TopicDescription) {
  const { partitions } = topic
  return {
    topic: topic.name,
    partitions: partitions.length,
    offsets: partitions.reduce((sum, each) => sum + each.highWatermark - each.startOffset, 0),
    bytes: partitions.reduce((sum, each) => sum + each.sizeBytes, 0),
    durability: topic.config.durability,
    cleanup: topic.config.cleanup,
  }
}

async function create(
  name: string,
  options: LogOption & { partitions: number; config?: Partial<TopicConfig> },
): Promise<void> {
  const { partitions, config = {} } = options
  const topic: NewTopic = { name, partitions, config }
  await withLog(options, 'read-write', (log) => log.createTopic(topic))
  say(`Created topic ${name} with ${counted(partitions, 'partition')}.`)
}

async function describe(name: string, options: LogOption & OutputOption): Promise<void> {
  const topic = await withLog(options, 'read-only', (log) =>
    withTopicSuggestion(log, name, () => log.describeTopic(name)),
  )
  if (options.output === 'json') return printRows([{ ...topic }], options)
  say(`${topic.name}  ${topic.topicId}${topic.internal ? '  (internal)' : ''}`)
  printRows(
    Object.entries(topic.config).map(([setting, value]) => ({ setting, value })),
    options,
  )
  process.stdout.write('\n')
  printRows(
    topic.partitions.map((partition) => ({ ...partition })),
    options,
  )
}

async function alter(
  name: string,
  options: LogOption & { config: Partial<TopicConfig> },
): Promise<void> {
  await withLog(options, 'read-write', (log) =>
    withTopicSuggestion(log, name, () => log.alterTopic(name, options.config)),
  )
  const settings = Object.entries(options.config).map(([setting, value]) => `${setting}=${value}`)
  say(`Changed topic ${name}: ${settings.join(', ')}.`)
}

async function addPartitions(name: string, total: number, options: LogOption): Promise<void> {
  await withLog(options, 'read-write', (log) =>
    withTopicSuggestion(log, name, () => log.addPartitions(name, total)),
  )
  say(`Topic ${name} has ${total} partitions now.`)
}

async function remove(name: string, options: LogOption & { yes?: true }): Promise<void> {
  await withLog(options, 'read-write', async (log) => {
    const topic = await withTopicSuggestion(log, name, () => log.describeTopic(name))
    if (options.yes !== true) {
      const { confirm } = await import('../confirm.ts')
      const { offsets } = summary(topic)
      await confirm(`Delete topic ${name} with its ${counted(offsets, 'record')}?`, name)
    }
    await log.deleteTopic(name)
  })
  say(`Deleted topic ${name}.`)
}
