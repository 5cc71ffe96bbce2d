import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { commands } from './commands.ts'
import { endQuietlyWithReader } from './end-quietly.ts'
import { reportError } from './report-error.ts'
import { withoutSecrets } from './secrets.ts'

/** The command line: reads the words after `millrace`, does it, and sets the exit code. */
export async function main(words: readonly string[]): Promise<void> {
  endQuietlyWithReader()
  try {
    await millrace().parseAsync(helpLast(words), { from: 'user' })
  } catch (error) {
    process.exitCode = await reportError(error)
  }
}

function millrace(): Command {
  const program = new Command('millrace')
    .description('Durable, exactly-once stream pipelines into Postgres.')
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      process.stdout.write(`${version()}\n`)
      process.exit()
    })
    .helpCommand(false)
    .showHelpAfterError(
      '(millrace --help shows the commands, millrace COMMAND --help their options)',
    )
    .configureOutput({ writeErr: (text) => void process.stderr.write(withoutSecrets(text)) })
    .exitOverride()
  program.addHelpText('after', guide)
  for (const { name, summary } of commands) program.command(name).description(summary)
  program.hook('preSubcommand', async (_, called) => {
    const entry = commands.find(({ name }) => name === called.name())
    const { default: define } = (await entry?.load()) ?? {}
    define?.(called)
  })
  return program
}

const guide = `
The log is --log URL, else $MILLRACE_LOG, else ./millrace-data.
Data goes to standard output, talk and progress to standard error; piped tables become JSON lines.
Exit codes: 0 ok, 1 failed, 2 usage, 3 some records went to the dead letters,
            4 cannot connect or in use, 130 interrupted and drained.
MILLRACE_DEBUG=1 adds stacks to errors; NO_COLOR=1 drops colours.`

/** `millrace help run` is `millrace run --help`; of a command that is none, only the name is of interest. */
function helpLast(words: readonly string[]): string[] {
  const asked = words[0] === 'help' ? [...words.slice(1), '--help'] : [...words]
  const [command = ''] = asked
  const isNone = /^[^-]/.test(command) && commands.every(({ name }) => name !== command)
  return isNone ? [command] : asked
}

function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return (manifest as { version: string }).version
}
