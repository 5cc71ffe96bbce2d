import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const parent = join(import.meta.dirname, '../.cache')

/** Runs `work` with an empty directory on the project's disk (the temporary one may be memory). */
export async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  mkdirSync(parent, { recursive: true })
  const directory = mkdtempSync(join(parent, 'bench-'))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
