import type { Command } from 'commander'
import { type RunCommandOptions, runPipeline, withRunOptions } from '../run-pipeline.ts'

export default function define(command: Command): void {
  withRunOptions(command.argument('<script>', 'a file whose default export is a pipeline'))
    .addHelpText(
      'after',
      '\nThe same as `node SCRIPT` with the same options, on Node.js 24 or newer.',
    )
    .action(run)
}

async function run(script: string, options: RunCommandOptions): Promise<void> {
  const { pipelineOf, urlOf } = await import('../script.ts')
  await runPipeline(await pipelineOf(script), urlOf(script), options)
}
