import { FileImage } from './file-image.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a directory entry names. */
export type Node = FileImage | DirectoryImage

interface Entry {
  readonly node: Node | undefined
  /** Order of the change that made it this way. */
  readonly order: number
}

interface Change {
  readonly directory: DirectoryImage
  readonly name: string
  readonly node: Node | undefined
}

/** One creation, removal or rename; its changes reach the disk together or not at all. */
interface DirectoryOperation {
  readonly order: number
  readonly changes: readonly Change[]
}

// Global, so that operations over two directories have one order.
let operationOrder = 0

/**
 * The entries of one directory twice: as the running system sees them, and as they lie on the
 * platter. A power loss keeps any subset of the operations since the last sync of the directory,
 * whatever was synced of the files they name.
 */
export class DirectoryImage {
  readonly #cache = new Map<string, Node>()
  // Entries with `node: undefined` are removals, kept for their order.
  readonly #disk = new Map<string, Entry>()
  #unsynced: DirectoryOperation[] = []

  get(name: string): Node | undefined {
    return this.#cache.get(name)
  }

  get names(): string[] {
    return [...this.#cache.keys()].toSorted()
  }

  get nodes(): Iterable<[string, Node]> {
    return this.#cache
  }

  link(name: string, node: Node): void {
    perform([{ directory: this, name, node }])
  }

  unlink(name: string): void {
    perform([{ directory: this, name, node: undefined }])
  }

  /** Moves an entry, replacing what stood at the target. */
  static rename(from: DirectoryImage, name: string, to: DirectoryImage, newName: string): void {
    const node = from.#cache.get(name)
    perform([
      { directory: from, name, node: undefined },
      { directory: to, name: newName, node },
    ])
  }

  /** How many operations a sync must wait for; give it to {@link synced}. */
  beginSync(): number {
    return operationOrder
  }

  synced(upTo: number): void {
    for (const operation of this.#unsynced) if (operation.order <= upTo) toDisk(operation)
    this.#unsynced = this.#unsynced.filter(({ order }) => order > upTo)
  }

  /**
   * A sync has failed: some operations reached the disk, the others still may. (A file system whose
   * journal fails takes no more writes, so no later sync of a directory succeeds wrongly.)
   */
  syncFailed(random: SeededRandom): void {
    const remaining: DirectoryOperation[] = []
    for (const operation of this.#unsynced) {
      if (random.chance(2)) toDisk(operation)
      else remaining.push(operation)
    }
    this.#unsynced = remaining
  }

  /** Applies those unsynced operations that survive, here and in every directory below. */
  settle(random: SeededRandom, keepIn256: number, seen = new Set<DirectoryImage>()): number {
    if (seen.has(this)) return 0
    seen.add(this)
    let lost = 0
    for (const operation of this.#unsynced) {
      if (random.integer(256) < keepIn256) toDisk(operation)
      else lost += 1
    }
    this.#unsynced = []
    for (const { node } of this.#disk.values()) {
      if (node instanceof DirectoryImage) lost += node.settle(random, keepIn256, seen)
    }
    for (const node of this.#cache.values()) {
      if (node instanceof DirectoryImage) lost += node.settle(random, keepIn256, seen)
    }
    return lost
  }

  /** Forgets the running system's view: the entries are what the disk holds. */
  restart(): void {
    this.#cache.clear()
    for (const [name, { node }] of this.#disk) {
      if (node === undefined) continue
      this.#cache.set(name, node)
      if (node instanceof DirectoryImage) node.restart()
    }
  }

  copy(): DirectoryImage {
    const twin = new DirectoryImage()
    for (const [name, node] of this.#cache) twin.link(name, node.copy())
    twin.synced(twin.beginSync())
    return twin
  }

  /** For {@link perform} and {@link toDisk} only. */
  static show({ directory, name, node }: Change, operation: DirectoryOperation): void {
    if (node === undefined) directory.#cache.delete(name)
    else directory.#cache.set(name, node)
    if (directory.#unsynced.at(-1) !== operation) directory.#unsynced.push(operation)
  }

  /** For {@link perform} and {@link toDisk} only. */
  static store({ directory, name, node }: Change, order: number): void {
    const stored = directory.#disk.get(name)
    if (stored === undefined || stored.order < order) directory.#disk.set(name, { node, order })
  }
}

function perform(changes: readonly Change[]): void {
  operationOrder += 1
  const operation = { order: operationOrder, changes }
  for (const change of changes) DirectoryImage.show(change, operation)
}

function toDisk(operation: DirectoryOperation): void {
  for (const change of operation.changes) DirectoryImage.store(change, operation.order)
}
