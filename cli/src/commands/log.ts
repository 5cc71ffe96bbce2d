import type { Command } from 'commander'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { type OutputOption, outputOption, printRows } from '../table.ts'

export default function define(command: Command): void {
  command
    .command('describe')
    .description('show what a log is and how much it holds')
    .addOption(logOption())
    .addOption(outputOption())
    .action(describe)
}

async function describe(options: LogOption & OutputOption): Promise<void> {
  await withLog(options, 'read-only', async (log) => {
    const { logId, url, damaged } = await log.describe()
    const topics = await log.listTopics()
    const partitions = topics.flatMap((topic) => topic.partitions)
    const bytes = partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const row = { logId, url, topics: topics.length, partitions: partitions.length, bytes }
    printRows([{ ...row, damaged: damaged.length }], options)
  })
}
