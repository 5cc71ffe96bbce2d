import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import {
  access,
  link,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file under way: bytes go where we say, so that a write that failed half-way is simply done again. */
export interface PartHandle {
  /** Writes all bytes at a position of the file. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Resolves once all bytes survive power loss. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** What file sinks do to the disk, in one place: tests let each of these fail, or be the last. */
export interface OutputDisk {
  /** Makes a directory and those above it, each durable. */
  makeDirectory(path: string): Promise<void>
  /** Names in a directory; none when it isn't there. */
  list(path: string): Promise<string[]>
  read(path: string): Promise<string>
  exists(path: string): Promise<boolean>
  /** A new file; `reopen`: one that was made before. */
  open(path: string, how: 'new' | 'reopen'): Promise<PartHandle>
  /** Gives a file a second name; false when somebody has that name, or the file is gone. Atomic. */
  link(from: string, to: string): Promise<boolean>
  /** False when there is nothing (any more) to rename. Atomic. */
  rename(from: string, to: string): Promise<boolean>
  /** Nothing to remove is fine. */
  remove(path: string): Promise<void>
  /** Resolves once the names in a directory survive power loss. */
  syncDirectory(path: string): Promise<void>
}

/** The real one. Modes are the process's own, for other programs are to read the files. */
export const nodeDisk: OutputDisk = {
  async makeDirectory(path) {
    const parent = dirname(path)
    try {
      await makeOne(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || parent === path) throw error
      // Not `recursive`: where nothing can be made, as in /proc, Node then never ends.
      await nodeDisk.makeDirectory(parent)
      await makeOne(path)
    }
  },
  list: (path) => unlessMissing(readdir(path), []),
  read: (path) => readFile(path, 'utf8'),
  exists: (path) =>
    unlessMissing(
      access(path, constants.F_OK).then(() => true),
      false,
    ),
  async open(path, how) {
    return new NodePart(await open(path, how === 'new' ? 'wx' : 'r+'))
  },
  async link(from, to) {
    try {
      await link(from, to)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false
      throw error
    }
  },
  rename: (from, to) =>
    unlessMissing(
      rename(from, to).then(() => true),
      false,
    ),
  remove: (path) => unlessMissing(unlink(path), undefined),
  async syncDirectory(path) {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

class NodePart implements PartHandle {
  readonly #file: FileHandle

  constructor(file: FileHandle) {
    this.#file = file
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      )
      done += bytesWritten
    }
  }

  sync(): Promise<void> {
    return this.#file.datasync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Makes one directory, durable; fine when it is there, perhaps made by somebody else this moment. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return
    throw error
  }
  await nodeDisk.syncDirectory(dirname(path))
}

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise
    throw error
  }
}

/** The system's code of an error, such as `ENOSPC`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
