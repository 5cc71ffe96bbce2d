import type { GroupDescription, Log, StoredPosition } from '@millrace/core'
import type { Command } from 'commander'
import { nearestOrAll } from '../nearest-or-all.ts'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { type OutputOption, outputOption, printRows } from '../table.ts'
import { say } from '../talk.ts'

export default function define(command: Command): void {
  command
    .command('list')
    .description('list the groups that read from topics')
    .addOption(logOption())
    .addOption(outputOption())
    .action(list)
  command
    .command('describe <group>')
    .description('show how far a group has read, and how far behind it is')
    .addOption(logOption())
    .addOption(outputOption())
    .action(describe)
}

async function list(options: LogOption & OutputOption): Promise<void> {
  const groups = await withLog(options, 'read-only', (log) => log.listGroups())
  printRows(groups.map(summary), options)
  if (groups.length === 0) say(`No groups in ${options.log} yet.`)
}

function summary({ group, state, members, positions }: GroupDescription) {
  const topics = [...new Set(positions.map(({ topic }) => topic))].join(', ')
  return { group, state, members: members.length, topics }
}

async function describe(group: string, options: LogOption & OutputOption): Promise<void> {
  await withLog(options, 'read-only', async (log) => {
    await expectGroup(log, group)
    const { state, positions } = await log.describeGroup(group)
    const rows = await Promise.all(positions.map((position) => lagRow(log, position)))
    say(`${group}: ${state}`)
    printRows(rows, options)
  })
}

/** @throws UsageError naming the nearest group that is there. */
async function expectGroup(log: Log, group: string): Promise<void> {
  const names = (await log.listGroups()).map((each) => each.group)
  if (names.includes(group)) return
  const { UsageError } = await import('@millrace/core')
  throw new UsageError('USAGE', `There is no group "${group}".${nearestOrAll(group, names)}`)
}

async function lagRow(log: Log, { topic, partition, position }: StoredPosition) {
  const end = await log.findOffset({ topic, partition, at: 'latest', isolation: 'read_committed' })
  const { offset, leaderEpoch } = position
  return { topic, partition, offset, end: end.offset, lag: end.offset - offset, leaderEpoch }
}
