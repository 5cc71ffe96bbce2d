import { statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from '@millrace/core'
import { isPipeline, type Pipeline } from '@millrace/processors'
import { expectFile } from './expect-file.ts'

/** Of a file that is named relative to the working directory. */
export function urlOf(script: string): URL {
  return pathToFileURL(resolve(script))
}

/**
 * Imports a script and gives its default export.
 *
 * @throws UsageError when there is no such file or its default export isn't a pipeline; what the script
 *   itself throws passes through.
 */
export async function pipelineOf(script: string): Promise<Pipeline> {
  expectFile(script)
  expectScript(script)
  const exported = (await import(urlOf(script).href)) as { default?: unknown }
  if (isPipeline(exported.default)) return exported.default
  throw new UsageError(
    'USAGE',
    `${script} has no pipeline as its default export. Write \`export default pipeline('name', …)\`.`,
  )
}

/** A script may lack an ending, as Node has it. */
const endings = ['', '.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']

function expectScript(path: string): void {
  if (statSync(path).isDirectory()) {
    throw new UsageError('USAGE', `${path} is a directory. Name the script in it.`)
  }
  if (endings.includes(extname(path))) return
  throw new UsageError('USAGE', `${path} is no script: those end in .ts, .mts, .js or .mjs.`)
}
