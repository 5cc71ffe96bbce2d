import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** Standard input, in a file as long as it is needed. */
export interface Spool {
  readonly file: string
  remove(): void
}

/**
 * Reads standard input to its end into a temporary file, from which it can be read more than once.
 * Undefined when the signal fired before the end.
 */
export async function spoolStdin(signal: AbortSignal): Promise<Spool | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-stdin-'))
  const remove = (): void => {
    process.off('exit', remove)
    rmSync(directory, { recursive: true, force: true })
  }
  // A second Ctrl-C waits for nobody.
  process.once('exit', remove)
  const file = join(directory, 'standard-input')
  try {
    await pipeline(process.stdin, createWriteStream(file, { mode: 0o600 }), { signal })
    return { file, remove }
  } catch (error) {
    remove()
    if (signal.aborted) return undefined
    throw error
  }
}
