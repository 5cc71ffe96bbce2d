// oxlint-disable-next-line typescript/triple-slash-reference -- the other packages compile this file too
/// <reference path="./fs-native-extensions.d.ts" />
import fs from 'node:fs'
import { promisify } from 'node:util'
import { tryLock } from 'fs-native-extensions'
import type { File, FileSystem } from './file-system.ts'

const modes = {
  read: 'r',
  write: 'r+',
  create: fs.constants.O_RDWR | fs.constants.O_CREAT,
} as const

const openFd = promisify(fs.open)
const closeFd = promisify(fs.close)
const syncFd = promisify(fs.fsync)

/**
 * The real disk. Hot calls go through the callback API on raw descriptors, which measured 234 MB/s
 * against `FileHandle`'s 189 at 64 KiB a write.
 */
export const nodeFileSystem: FileSystem = {
  async open(path, mode) {
    return new NodeFile(await openFd(path, modes[mode], 0o600))
  },
  async list(directory) {
    return (await fs.promises.readdir(directory)).toSorted()
  },
  async stat(path) {
    try {
      const found = await fs.promises.stat(path)
      return { kind: found.isDirectory() ? 'directory' : 'file', sizeBytes: found.size }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  },
  async makeDirectory(directory) {
    // Not `recursive`: where nothing can be made, as in /proc, Node then never ends.
    try {
      await fs.promises.mkdir(directory, { mode: 0o700 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  },
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.unlink(path),
  removeDirectory: (directory) => fs.promises.rmdir(directory),
  async syncDirectory(directory) {
    const fd = await openFd(directory, 'r')
    try {
      await syncFd(fd)
    } finally {
      await closeFd(fd)
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await fs.promises.statfs(path)
    return bavail * bsize
  },
  async tryLock(path) {
    const fd = await openFd(path, 'r+')
    if (tryLock(fd)) return { release: () => closeFd(fd) }
    await closeFd(fd)
    return undefined
  },
}

class NodeFile implements File {
  readonly #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, into, 0, into.length, position, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      )
    })
  }

  write(from: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(this.#fd, from, 0, from.length, position, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      )
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()))
    })
  }

  truncate(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#fd, sizeBytes, (error) => (error ? reject(error) : resolve()))
    })
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, found) => (error ? reject(error) : resolve(found.size)))
    })
  }

  close(): Promise<void> {
    return closeFd(this.#fd)
  }
}
