import { dirname, join } from 'node:path'
import type { OutputDisk, PartHandle } from '../out/disk.ts'

interface Inode {
  bytes: Buffer
  synced: Buffer
}

/** One change of the names on the disk; changes become durable in their order. */
interface Change {
  readonly directories: readonly string[]
  readonly apply: (names: Map<string, Inode>) => void
}

/**
 * For tests: a disk in memory that forgets at a power cut what was not synced. Data is durable once its
 * file was synced; names are once a directory that they changed in was. Of what was not, a cut leaves
 * some first changes, and any beginning of the data, as `random` decides.
 */
export class MemoryDisk implements OutputDisk {
  #names = new Map<string, Inode>()
  #durable = new Map<string, Inode>()
  #pending: Change[] = []
  readonly #random: () => number
  /** What was done so far; the power goes before this one. */
  steps = 0
  cutAt = Infinity

  constructor(random: () => number) {
    this.#random = random
  }

  /** Names and contents of all files, by path. */
  files(): Map<string, Buffer> {
    return new Map([...this.#names].map(([path, { bytes }]) => [path, bytes]))
  }

  /** What is there when the power is back. */
  restart(): void {
    const kept = Math.floor(this.#random() * (this.#pending.length + 1))
    for (const { apply } of this.#pending.slice(0, kept)) apply(this.#durable)
    this.#pending = []
    this.#names = new Map(this.#durable)
    for (const inode of this.#names.values()) {
      const unsynced = inode.bytes.length - inode.synced.length
      const length = inode.synced.length + Math.floor(this.#random() * (unsynced + 1))
      inode.bytes = Buffer.concat([inode.synced, inode.bytes.subarray(inode.synced.length, length)])
      inode.synced = inode.bytes
    }
    this.cutAt = Infinity
  }

  async makeDirectory(): Promise<void> {
    this.#step()
  }

  async list(path: string): Promise<string[]> {
    this.#step()
    const inside = [...this.#names.keys()].filter((name) => dirname(name) === path)
    return inside.map((name) => name.slice(path.length + 1))
  }

  async read(path: string): Promise<string> {
    this.#step()
    const inode = this.#names.get(path)
    if (inode === undefined) throw missing(path)
    return inode.bytes.toString()
  }

  async exists(path: string): Promise<boolean> {
    this.#step()
    return (
      this.#names.has(path) || [...this.#names.keys()].some((name) => name.startsWith(`${path}/`))
    )
  }

  async open(path: string, how: 'new' | 'reopen'): Promise<PartHandle> {
    this.#step()
    const known = this.#names.get(path)
    if (known === undefined && how === 'reopen') throw missing(path)
    if (known !== undefined && how === 'new') throw new Error(`${path} is there already`)
    const inode = known ?? { bytes: Buffer.alloc(0), synced: Buffer.alloc(0) }
    if (known === undefined) this.#change([path], (names) => names.set(path, inode))
    return {
      write: async (bytes, position) => {
        this.#step()
        inode.bytes = Buffer.concat([inode.bytes.subarray(0, position), bytes])
      },
      sync: async () => {
        this.#step()
        inode.synced = inode.bytes
      },
      close: async () => {},
    }
  }

  async link(from: string, to: string): Promise<boolean> {
    this.#step()
    const inode = this.#names.get(from)
    if (inode === undefined || this.#names.has(to)) return false
    this.#change([to], (names) => names.set(to, inode))
    return true
  }

  async rename(from: string, to: string): Promise<boolean> {
    this.#step()
    const inode = this.#names.get(from)
    if (inode === undefined) return false
    this.#change([from, to], (names) => {
      names.delete(from)
      names.set(to, inode)
    })
    return true
  }

  async remove(path: string): Promise<void> {
    this.#step()
    if (this.#names.has(path)) this.#change([path], (names) => names.delete(path))
  }

  async syncDirectory(path: string): Promise<void> {
    this.#step()
    const last = this.#pending.findLastIndex(({ directories }) => directories.includes(path))
    for (const { apply } of this.#pending.splice(0, last + 1)) apply(this.#durable)
  }

  #change(paths: readonly string[], apply: Change['apply']): void {
    apply(this.#names)
    this.#pending.push({ directories: paths.map((path) => dirname(join(path))), apply })
  }

  #step(): void {
    this.steps++
    if (this.steps >= this.cutAt) throw new Error('the power is gone')
  }
}

function missing(path: string): Error {
  return Object.assign(new Error(`no ${path}`), { code: 'ENOENT', syscall: 'open' })
}
