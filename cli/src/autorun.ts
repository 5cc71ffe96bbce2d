import { createRequire } from 'node:module'
import { basename, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { isPipeline, type Pipeline } from '@millrace/processors'

const entry = process.argv[1]
if (isMainThread && entry !== undefined) setImmediate(() => void autorun(entry))

/**
 * Makes `node pipeline.ts` run: when the default export of the process's entry file is a pipeline, it
 * starts once the file has been evaluated. Importing the entry here gives the module that Node is
 * evaluating already, so nothing is evaluated twice. `millrace run`, tests and threads have another
 * entry file.
 */
async function autorun(entryPath: string): Promise<void> {
  const script = await importEntry(entryPath)
  if (isPipeline(script?.exported)) await runEntry(script.exported, script.url)
}

interface Entry {
  readonly url: URL
  /** Its default export. */
  readonly exported: unknown
}

async function importEntry(entryPath: string): Promise<Entry | undefined> {
  try {
    const file = createRequire(entryPath).resolve(entryPath)
    // A tool, such as a test runner, that has loaders of its own: importing it might start it again.
    if (file.includes(`${sep}node_modules${sep}`)) return undefined
    const url = pathToFileURL(file)
    const { default: exported } = (await import(url.href)) as { default?: unknown }
    return { url, exported }
  } catch {
    // Not a file (`node -`), or it threw: then Node itself says so and ends the process.
    return undefined
  }
}

async function runEntry(pipeline: Pipeline, url: URL): Promise<void> {
  const { Command } = await import('commander')
  const { endQuietlyWithReader } = await import('./end-quietly.ts')
  const { reportError } = await import('./report-error.ts')
  const { runPipeline, withRunOptions } = await import('./run-pipeline.ts')
  const { withoutSecrets } = await import('./secrets.ts')
  endQuietlyWithReader()
  try {
    const command = withRunOptions(
      new Command(`node ${basename(fileURLToPath(url))}`),
    ).exitOverride()
    command.configureOutput({ writeErr: (text) => void process.stderr.write(withoutSecrets(text)) })
    command.description(`Runs the pipeline "${pipeline.name}".`)
    await command.action((options) => runPipeline(pipeline, url, options)).parseAsync()
  } catch (error) {
    process.exitCode = await reportError(error)
  }
}
