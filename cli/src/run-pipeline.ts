import module from 'node:module'
import type { ErrorPolicy, Pipeline, RunResult } from '@millrace/processors'
import { type Command, Option } from 'commander'
import { exitCode } from './exit-code.ts'
import { Interrupt } from './interrupt.ts'
import { type LogOption, logOption, withLog } from './log-option.ts'
import { counted, nonNegativeInteger, positiveInteger, shortDuration } from './numbers.ts'
import { stageMeter } from './progress/progress-line.ts'
import { progressView } from './progress/progress-view.ts'
import { paint, say } from './talk.ts'

/** What `millrace run` and `node pipeline.ts` can be told. */
export interface RunCommandOptions extends LogOption {
  readonly follow?: boolean
  readonly final?: boolean
  readonly quiet?: boolean
  readonly onError: ErrorPolicy
  readonly maxDeadLetters?: number
  readonly connections?: number
  readonly threads?: number
}

/** Adds the options of a run to a command. */
export function withRunOptions(command: Command): Command {
  return command
    .option('-f, --follow', 'go on after the end of what is there now, until Ctrl-C')
    .option('--final', 'close the windows still open at the end; else they go on with the next run')
    .addOption(
      new Option('--on-error <policy>', 'what becomes of a record that cannot be processed')
        .choices(['fail', 'skip', 'dead-letter'])
        .default('fail'),
    )
    .option(
      '--max-dead-letters <count>',
      'stop when a stage has more of them (default: no limit)',
      nonNegativeInteger,
    )
    .option('--connections <count>', 'connections of each database sink', positiveInteger)
    .option('--threads <count>', 'threads that the work is divided among', positiveInteger)
    .option('-q, --quiet', 'no progress')
    .addOption(logOption())
}

/**
 * Runs a pipeline for a person: progress, Ctrl-C, a last word, and the exit code of the process.
 *
 * @param script the file whose default export the pipeline is.
 */
export async function runPipeline(
  pipeline: Pipeline,
  script: URL,
  options: RunCommandOptions,
): Promise<void> {
  // Each thread compiles what it imports, the user's script included.
  if ((options.threads ?? 1) > 1) module.enableCompileCache()
  const { run } = await import('@millrace/processors')
  const {
    follow = false,
    final = false,
    quiet = false,
    onError,
    connections,
    maxDeadLetters,
    threads = 1,
  } = options
  const view = await progressView({ quiet })
  const interrupt = new Interrupt('Finishing what is in flight. Ctrl-C again stops at once.')
  try {
    const place = { ...options, thread: threads > 1 }
    const result = await withLog(place, 'read-write', (log) =>
      run(pipeline, {
        log,
        script,
        threads,
        signal: interrupt.signal,
        follow,
        final,
        onError,
        ...(connections !== undefined && { connections }),
        ...(maxDeadLetters !== undefined && { deadLettersMax: maxDeadLetters }),
        onProgress: ({ stages }) => view.update(stages.map(stageMeter)),
        onNotice: (message) => view.notice(message),
      }),
    )
    view.stop()
    process.exitCode = conclude(result, interrupt.code)
  } catch (error) {
    view.stop()
    throw error
  } finally {
    interrupt.stop()
  }
}

function conclude(result: RunResult, interrupted: number | undefined): number {
  const { pipeline, elapsedMs, late, skipped, deadLetters } = result
  const took = shortDuration(elapsedMs / 1000)
  if (late > 0) say(`${counted(late, 'record')} too late for a window, since the first run.`)
  const withoutKey = result.stages.reduce((sum, stage) => sum + stage.withoutKey, 0)
  if (withoutKey > 0) {
    say(
      `${counted(withoutKey, 'record')} without the key that a step groups by, since the first run.`,
    )
  }
  if (skipped > deadLetters) say(`${counted(skipped - deadLetters, 'record')} skipped.`)
  if (deadLetters > 0) {
    const topic = `${pipeline}-dead-letters`
    const look = `millrace dlq show ${topic}`
    say(`${counted(deadLetters, 'record')} went to the topic ${topic}. Look at them: ${look}`)
  }
  if (result.interrupted) {
    say(
      `${paint('yellow', '■')} ${pipeline} stopped after ${took}; the next run goes on from there.`,
    )
    return interrupted ?? exitCode.ok
  }
  say(`${paint('green', '✓')} ${pipeline} done in ${took}.`)
  return skipped > 0 ? exitCode.partial : exitCode.ok
}
