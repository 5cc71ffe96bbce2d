import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const script = join(import.meta.dirname, 'full-disk-life.ts')
const SIZE_MIB = 8

// The mount is seen by this one process, and goes with it.
const mounting = `mount -t tmpfs -o size=${SIZE_MIB}m none "$0" && exec "$@"`

/** How a process on a small disk ended: 0 when all it promised came true, else what it said. */
export interface SmallDiskEnd {
  readonly code: number | null
  readonly words: string
}

/** Runs a command with a directory that is a disk of its own, of 8 MiB. */
export async function onSmallDisk(
  command: (directory: string) => readonly string[],
): Promise<SmallDiskEnd> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-small-disk-'))
  try {
    const args = ['--map-root-user', '--mount', 'sh', '-c', mounting, directory]
    const child = spawn('unshare', [...args, ...command(directory)])
    let words = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes) => (words += String(bytes)))
    }
    child.on('error', (error) => (words += error.message))
    await Promise.race([once(child, 'close'), once(child, 'error').catch(() => {})])
    return { code: child.exitCode, words }
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Why no small disk can be had here; `undefined` when it can. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `tmpfs is Linux's, and this is ${process.platform}`
  const { code, words } = await onSmallDisk(() => ['true'])
  return code === 0 ? undefined : `a process may not mount a tmpfs of its own (${words.trim()})`
}

/** Lets a scenario of full-disk-life.ts happen in a process of its own, on a disk of 8 MiB. */
export function liveOnSmallDisk(scenario: string): Promise<SmallDiskEnd> {
  return onSmallDisk((directory) => [process.execPath, script, scenario, directory])
}
