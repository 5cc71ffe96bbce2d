import type { File, FileLock, FileSystem } from '../io/index.ts'
import { DirectoryImage } from './directory-image.ts'
import {
  type DiskOperation,
  type DiskOperationKind,
  type Fault,
  type FaultPlan,
  noFaults,
} from './faults.ts'
import { FileImage } from './file-image.ts'
import type { Scheduler } from './scheduler.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

/**
 * One process's view of a {@link SimulatedDisk}: operations finish in an order drawn from the seed,
 * and may fail as a {@link FaultPlan} says. It ends with its process: from then on nothing that was
 * asked of it ever finishes, and nothing more reaches the disk.
 */
export class SimulatedFileSystem implements FileSystem {
  readonly syncsAtOnce = 3
  readonly #disk: SimulatedDisk
  readonly #random: SeededRandom
  readonly #scheduler: Scheduler
  readonly #locks = new Set<FileImage>()
  #isDead = false
  #ordinal = 0
  /** Paths of the files that are open, one for each opening. */
  readonly openFiles: string[] = []
  /** Which operations fail. */
  faults: FaultPlan = noFaults
  /** Called when an operation has been carried out, just before its caller learns of it. */
  onOperation: (operation: DiskOperation, fault: Fault | undefined) => void = () => {}

  constructor(disk: SimulatedDisk, random: SeededRandom, scheduler: Scheduler) {
    this.#disk = disk
    this.#random = random
    this.#scheduler = scheduler
  }

  /** The process has ended. */
  die(): void {
    this.#isDead = true
    for (const image of this.#locks) this.#disk.locked.delete(image)
    this.#scheduler.forget(this)
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    const found = this.#disk.find(path)
    const kind = mode === 'create' && found === undefined ? 'create' : 'open'
    return this.perform(kind, path, () => new SimulatedFile(this, path, this.#image(path, mode)))
  }

  list(directory: string): Promise<string[]> {
    return this.perform('inspect', directory, () => this.#directory(directory).names)
  }

  stat(path: string): Promise<{ kind: 'file' | 'directory'; sizeBytes: number } | undefined> {
    return this.perform('inspect', path, () => {
      const node = this.#disk.find(path)
      if (node === undefined) return undefined
      if (node instanceof DirectoryImage) return { kind: 'directory', sizeBytes: 0 }
      return { kind: 'file', sizeBytes: node.sizeBytes }
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.perform('makeDirectory', path, () => {
      const names = path.split('/')
      for (let depth = 1; depth <= names.length; depth += 1) {
        const { directory, name } = this.#disk.parent(names.slice(0, depth).join('/'))
        if (name === '' || directory?.get(name) !== undefined) continue
        if (directory === undefined) throw failure('ENOTDIR', 'mkdir', path)
        directory.link(name, new DirectoryImage())
      }
      if (!(this.#disk.find(path) instanceof DirectoryImage)) throw failure('EEXIST', 'mkdir', path)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.perform('rename', from, () => {
      const source = this.#disk.parent(from)
      const target = this.#disk.parent(to)
      const moved = source.directory?.get(source.name)
      if (!source.directory || !target.directory || !moved) throw failure('ENOENT', 'rename', from)
      const replaced = target.directory.get(target.name)
      if (replaced instanceof DirectoryImage && replaced.names.length > 0) {
        throw failure('ENOTEMPTY', 'rename', to)
      }
      if (replaced instanceof FileImage) this.#disk.usedBytes -= replaced.sizeBytes
      DirectoryImage.rename(source.directory, source.name, target.directory, target.name)
    })
  }

  remove(path: string): Promise<void> {
    return this.perform('remove', path, () => {
      const { directory, name } = this.#disk.parent(path)
      const node = directory?.get(name)
      if (!directory || !node) throw failure('ENOENT', 'unlink', path)
      if (node instanceof DirectoryImage) throw failure('EISDIR', 'unlink', path)
      directory.unlink(name)
      this.#disk.usedBytes -= node.sizeBytes
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.perform('removeDirectory', path, () => {
      if (this.#directory(path).names.length > 0) throw failure('ENOTEMPTY', 'rmdir', path)
      const { directory, name } = this.#disk.parent(path)
      directory?.unlink(name)
    })
  }

  syncDirectory(path: string): Promise<void> {
    const node = this.#disk.find(path)
    const upTo = node instanceof DirectoryImage ? node.beginSync() : 0
    const onFault = (): void => {
      if (node instanceof DirectoryImage) node.syncFailed(this.#random)
    }
    return this.perform('syncDirectory', path, () => this.#directory(path).synced(upTo), onFault)
  }

  freeBytes(path: string): Promise<number> {
    return this.perform('inspect', path, () =>
      Math.max(0, this.#disk.capacityBytes - this.#disk.usedBytes),
    )
  }

  tryLock(path: string): Promise<FileLock | undefined> {
    return this.perform('open', path, () => {
      const image = this.#image(path, 'write')
      if (this.#disk.locked.has(image)) return undefined
      this.#disk.locked.add(image)
      this.#locks.add(image)
      return {
        release: async () => {
          if (this.#locks.delete(image)) this.#disk.locked.delete(image)
        },
      }
    })
  }

  /** Carries out `effect` later, unless a fault or the end of the process prevents it. */
  perform<T>(
    kind: DiskOperationKind,
    path: string,
    effect: (fault: 'short' | undefined) => T,
    onFault: () => void = () => {},
  ): Promise<T> {
    this.#ordinal += 1
    const operation: DiskOperation = { kind, path, ordinal: this.#ordinal }
    const fault = this.faults(operation)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const run = (): void => {
      if (this.#isDead) return
      let settle: () => void
      try {
        if (fault === 'EMFILE') throw failure(fault, kind, path)
        if (fault === 'EIO' || fault === 'ENOSPC') {
          onFault()
          throw failure(fault, kind, path)
        }
        const result = effect(fault === 'short' ? 'short' : undefined)
        settle = () => resolve(result)
      } catch (error) {
        settle = () => reject(error)
      }
      this.onOperation(operation, fault)
      if (!this.#isDead) settle()
    }
    if (!this.#isDead) this.#scheduler.defer(this, run, fault === 'slow' ? 40 : 0)
    return promise
  }

  /** @internal For open files. */
  read(image: FileImage, path: string, into: Uint8Array, position: number): Promise<number> {
    return this.perform('read', path, (fault) => {
      const isShort = fault === 'short' && into.length > 1
      return image.read(
        isShort ? into.subarray(0, 1 + this.#random.integer(into.length - 1)) : into,
        position,
      )
    })
  }

  /** @internal For open files. */
  write(image: FileImage, path: string, from: Uint8Array, position: number): Promise<number> {
    const writeSome = (count: number): number => {
      const grows = position + count - image.sizeBytes
      if (count > 0) image.write(from.subarray(0, count), position)
      if (grows > 0) this.#disk.usedBytes += grows
      if (this.#random.chance(16)) image.writeBack(this.#random)
      return count
    }
    const onFault = (): void => {
      writeSome(
        this.#random.chance(2)
          ? 0
          : this.#random.integer(this.#fitting(image, position, from.length) + 1),
      )
    }
    return this.perform(
      position + from.length > image.sizeBytes ? 'write' : 'overwrite',
      path,
      (fault) => {
        const fits = this.#fitting(image, position, from.length)
        if (fits === 0 && from.length > 0) throw failure('ENOSPC', 'write', path)
        return writeSome(fault === 'short' && fits > 1 ? 1 + this.#random.integer(fits - 1) : fits)
      },
      onFault,
    )
  }

  /** @internal For open files. */
  sync(image: FileImage, path: string): Promise<void> {
    const point = image.beginSync()
    return this.perform(
      'sync',
      path,
      () => image.synced(point),
      () => image.syncFailed(this.#random),
    )
  }

  /** @internal For open files. */
  truncate(image: FileImage, path: string, sizeBytes: number): Promise<void> {
    return this.perform('truncate', path, () => {
      this.#disk.usedBytes += sizeBytes - image.sizeBytes
      image.truncate(sizeBytes)
    })
  }

  /** How many of `length` bytes at `position` the disk has room for. */
  #fitting(image: FileImage, position: number, length: number): number {
    const room = Math.max(0, this.#disk.capacityBytes - this.#disk.usedBytes)
    return Math.max(0, Math.min(length, image.sizeBytes + room - position))
  }

  #image(path: string, mode: 'read' | 'write' | 'create'): FileImage {
    const { directory, name } = this.#disk.parent(path)
    const node = directory?.get(name)
    if (node instanceof FileImage) return node
    if (node instanceof DirectoryImage) throw failure('EISDIR', 'open', path)
    if (directory === undefined || mode !== 'create') throw failure('ENOENT', 'open', path)
    const image = new FileImage()
    directory.link(name, image)
    return image
  }

  #directory(path: string): DirectoryImage {
    const node = this.#disk.find(path)
    if (node === undefined) throw failure('ENOENT', 'scandir', path)
    if (!(node instanceof DirectoryImage)) throw failure('ENOTDIR', 'scandir', path)
    return node
  }
}

class SimulatedFile implements File {
  readonly #fileSystem: SimulatedFileSystem
  readonly #path: string
  readonly #image: FileImage
  #isClosed = false

  constructor(fileSystem: SimulatedFileSystem, path: string, image: FileImage) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#image = image
    fileSystem.openFiles.push(path)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#assertOpen('read')
    return this.#fileSystem.read(this.#image, this.#path, into, position)
  }

  async write(from: Uint8Array, position: number): Promise<number> {
    this.#assertOpen('write')
    return this.#fileSystem.write(this.#image, this.#path, from, position)
  }

  async sync(): Promise<void> {
    this.#assertOpen('fsync')
    return this.#fileSystem.sync(this.#image, this.#path)
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#assertOpen('ftruncate')
    return this.#fileSystem.truncate(this.#image, this.#path, sizeBytes)
  }

  async size(): Promise<number> {
    this.#assertOpen('fstat')
    return this.#fileSystem.perform('inspect', this.#path, () => this.#image.sizeBytes)
  }

  async close(): Promise<void> {
    this.#assertOpen('close')
    this.#isClosed = true
    const { openFiles } = this.#fileSystem
    openFiles.splice(openFiles.indexOf(this.#path), 1)
  }

  // A descriptor used after close may by then be another file's: always a bug.
  #assertOpen(call: string): void {
    if (this.#isClosed) throw failure('EBADF', call, this.#path)
  }
}

function failure(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), {
    code,
    syscall: call,
    path,
  })
}
