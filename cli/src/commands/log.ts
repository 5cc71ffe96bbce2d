import type { Command } from 'commander'
import { exitCode } from '../exit-code.ts'
import { type LogOption, logOption, withLog } from '../log-option.ts'
import { counted } from '../numbers.ts'
import { type OutputOption, outputOption, printRows } from '../table.ts'
import { paint, say } from '../talk.ts'

export default function define(command: Command): void {
  command
    .command('describe')
    .description('show what a log is and how much it holds')
    .addOption(logOption())
    .addOption(outputOption())
    .action(describe)
  command
    .command('verify')
    .description('read every byte and name file and position of each fault; changes nothing')
    .addOption(logOption())
    .addOption(outputOption())
    .action(verify)
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

/** A torn tail is what a crash leaves of a write that nobody was told of; it is no failure. */
async function verify(options: LogOption & OutputOption): Promise<void> {
  const { verifyLog } = await import('@millrace/core')
  const { faults, bytes, batches, partitions } = await verifyLog(directoryOf(options.log))
  printRows(
    faults.map((fault) => ({ ...fault })),
    options,
  )
  const corrupt = faults.filter(({ kind }) => kind === 'corruption').length
  if (corrupt > 0) process.exitCode = exitCode.failed
  const read = `${(bytes / 1e6).toFixed(1)} MB, ${counted(batches, 'good batch', 'good batches')}`
  const verdict =
    corrupt > 0
      ? paint('red', `✗ ${counted(corrupt, 'fault')}`)
      : paint('green', '✓ all as it was written')
  say(`${verdict}: ${read} in ${counted(partitions, 'partition')}.`)
  if (corrupt > 0) {
    say(
      'Put copies of the files named in their places while nothing has the log open; or read past the',
    )
    say(
      'damage: millrace consume TOPIC -p N --offset N. Nothing was changed, and good data is kept.',
    )
  }
}

function directoryOf(url: string): string {
  return url.replace(/^file:(\/\/(?=\/))?/, '')
}
