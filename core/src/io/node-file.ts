import fs from 'node:fs'
import { promisify } from 'node:util'
import type { Descriptors, Sleeper } from './node-descriptors.ts'
import type { File, WriteHint } from './file-system.ts'

const closeFd = promisify(fs.close)
const statFd = promisify(fs.fstat)
const syncDataFd = promisify(fs.fdatasync)

// Elsewhere O_DSYNC may promise less than fdatasync does.
const hasSyncingWrites = process.platform === 'linux'

/**
 * An open file. Its bytes are unsynced (as opened, or written) ⇄ synced. A write that a sync is to follow
 * goes through a second descriptor, opened with O_DSYNC, when the file is synced: write and sync are then
 * one trip to the thread pool, and the sync that follows has nothing left to do.
 *
 * It is awake (has descriptors) ⇄ asleep (has none, because others needed them) → closed. It sleeps only
 * while nothing is under way, and never with bytes that are not synced: the error of their write-back
 * would be told to nobody.
 */
export class NodeFile implements File, Sleeper {
  isWarm = true
  readonly #path: string
  readonly #flags: string | number
  readonly #descriptors: Descriptors
  #fd: number | undefined
  #syncingFd: number | undefined
  #openingSyncing: Promise<number | undefined> | undefined
  #inode: { readonly dev: number; readonly ino: number } | undefined
  #waking: Promise<number> | undefined
  #sleeping: Promise<void> | undefined
  #running = 0
  #isSynced = false
  #isWritten = false
  #changes = 0
  #isClosed = false
  /** What a sync before sleeping met; the next sync tells. */
  #lostSync: unknown

  constructor(path: string, flags: string | number, fd: number, descriptors: Descriptors) {
    this.#path = path
    this.#flags = flags
    this.#fd = fd
    this.#descriptors = descriptors
    descriptors.woke(this)
  }

  get isIdle(): boolean {
    return this.#running === 0 && this.#waking === undefined
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#use(
      (fd) =>
        new Promise((resolve, reject) => {
          fs.read(fd, into, 0, into.length, position, (error, bytes) => {
            this.#running--
            if (error) reject(named(error, this.#path))
            else resolve(bytes)
          })
        }),
    )
  }

  write(from: Uint8Array, position: number, hint?: WriteHint): Promise<number> {
    if (hint === 'beforeSync' && this.#isSynced && hasSyncingWrites) {
      return this.#use((fd) => this.#writeSyncing(fd, from, position))
    }
    this.#noteChange(hint !== 'neverSynced')
    return this.#use((fd) => this.#write(fd, from, position))
  }

  sync(): Promise<void> {
    if (this.#lostSync !== undefined) return Promise.reject(this.#lostSync)
    if (this.#isSynced) return Promise.resolve()
    const changesBefore = this.#changes
    return this.#use(
      (fd) =>
        new Promise((resolve, reject) => {
          fs.fdatasync(fd, (error) => {
            this.#running--
            // The sync before a sleep may have run beside this one, and been told instead of it.
            const failure = error === null ? this.#lostSync : named(error, this.#path)
            if (failure !== undefined) return reject(failure)
            this.#isSynced = this.#changes === changesBefore
            if (this.#isSynced) this.#isWritten = false
            resolve()
          })
        }),
    )
  }

  truncate(sizeBytes: number): Promise<void> {
    this.#noteChange()
    return this.#use(
      (fd) =>
        new Promise((resolve, reject) => {
          fs.ftruncate(fd, sizeBytes, (error) => {
            this.#running--
            if (error) reject(named(error, this.#path))
            else resolve()
          })
        }),
    )
  }

  size(): Promise<number> {
    return this.#use(
      (fd) =>
        new Promise((resolve, reject) => {
          fs.fstat(fd, (error, found) => {
            this.#running--
            if (error) reject(named(error, this.#path))
            else resolve(found.size)
          })
        }),
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#sleeping
    await this.#waking?.catch(() => {
      // Whoever woke it was told.
    })
    await this.#closeDescriptors()
  }

  /** For the {@link Descriptors} only. */
  sleep(): Promise<void> {
    this.#sleeping ??= this.#fallAsleep().finally(() => (this.#sleeping = undefined))
    return this.#sleeping
  }

  async #fallAsleep(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined || this.#isClosed) return
    const changesBefore = this.#changes
    if (this.#isWritten) await this.#syncBeforeSleep(fd)
    const { dev, ino } = await statFd(fd)
    // Somebody may have come meanwhile.
    if (!this.isIdle || this.#changes !== changesBefore || this.#isClosed) return
    this.#inode = { dev, ino }
    await this.#closeDescriptors()
  }

  async #syncBeforeSleep(fd: number): Promise<void> {
    const changesBefore = this.#changes
    try {
      await syncDataFd(fd)
      if (this.#changes !== changesBefore) return
      this.#isWritten = false
      this.#isSynced = true
    } catch (error) {
      this.#lostSync = named(error, this.#path)
    }
  }

  /** Runs an operation on the descriptor; the operation itself says when it has ended. */
  #use<Result>(run: (fd: number) => Promise<Result>): Promise<Result> {
    this.isWarm = true
    this.#running++
    if (this.#fd !== undefined) return run(this.#fd)
    return this.#wake().then(run, (error: unknown) => {
      this.#running--
      throw error
    })
  }

  #wake(): Promise<number> {
    this.#waking ??= this.#reopen().finally(() => (this.#waking = undefined))
    return this.#waking
  }

  async #reopen(): Promise<number> {
    if (this.#isClosed) throw stale('EBADF', this.#path)
    const fd = await this.#descriptors.open(this.#path, this.#flags)
    const { dev, ino } = await statFd(fd)
    if (this.#inode?.dev !== dev || this.#inode.ino !== ino) {
      await closeFd(fd)
      throw stale('ENOENT', this.#path)
    }
    this.#fd = fd
    this.#descriptors.woke(this)
    return fd
  }

  async #closeDescriptors(): Promise<void> {
    const fd = this.#fd
    const syncing = this.#openingSyncing
    this.#fd = undefined
    this.#syncingFd = undefined
    this.#openingSyncing = undefined
    this.#descriptors.slept(this)
    if (fd !== undefined) await closeFd(fd)
    const syncingFd = await syncing
    if (syncingFd !== undefined) await closeFd(syncingFd)
  }

  async #writeSyncing(fd: number, from: Uint8Array, position: number): Promise<number> {
    // Without an await once it is open: the disk would wait for whatever else was about to run.
    const syncingFd = this.#syncingFd ?? (await this.#openSyncingOnce(fd))
    const isAllSynced = this.#isSynced && syncingFd !== undefined
    this.#noteChange()
    const changes = this.#changes
    const taken = await this.#write(syncingFd ?? fd, from, position)
    // Somebody may have written besides, before or meanwhile.
    this.#isSynced = isAllSynced && this.#changes === changes
    if (this.#isSynced) this.#isWritten = false
    return taken
  }

  #write(fd: number, from: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(fd, from, 0, from.length, position, (error, bytes) => {
        this.#running--
        if (error) reject(named(error, this.#path))
        else resolve(bytes)
      })
    })
  }

  #noteChange(matters = true): void {
    this.#changes++
    this.#isSynced = false
    if (matters) this.#isWritten = true
  }

  async #openSyncingOnce(fd: number): Promise<number | undefined> {
    this.#openingSyncing ??= this.#openSyncing(fd)
    this.#syncingFd = await this.#openingSyncing
    return this.#syncingFd
  }

  /** The same file again, whatever its name is by now; `undefined` where that is not to be had. */
  async #openSyncing(fd: number): Promise<number | undefined> {
    try {
      const flags = fs.constants.O_RDWR | fs.constants.O_DSYNC
      return await this.#descriptors.open(`/proc/self/fd/${fd}`, flags)
    } catch {
      return undefined
    }
  }
}

/** It slept, and meanwhile was renamed, removed or closed: what stands there now is another file. */
function stale(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: no longer the file that was opened, open '${path}'`), {
    code,
    syscall: 'open',
    path,
  })
}

/** Node leaves out which file it was where it has only a descriptor. */
export function named(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error
  error.message += ` '${path}'`
  return Object.assign(error, { path })
}
