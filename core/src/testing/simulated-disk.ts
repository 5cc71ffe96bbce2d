import { DirectoryImage, type Node } from './directory-image.ts'
import { FileImage, type SectorLoss } from './file-image.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a power loss did to the disk. */
export interface PowerLoss extends SectorLoss {
  directoryOperationsLost: number
  /** Files of which some unsynced part was lost or torn. */
  files: string[]
}

/** A simulated disk: a tree of files and directories, as seen and as durable. */
export class SimulatedDisk {
  readonly #root: DirectoryImage
  readonly locked = new Set<FileImage>()
  /** Size of the disk; writes past it come up short and then fail with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY
  usedBytes = 0

  constructor(root = new DirectoryImage()) {
    this.#root = root
    this.#count()
  }

  find(path: string): Node | undefined {
    return this.#walk(split(path))
  }

  #walk(names: readonly string[]): Node | undefined {
    let node: Node = this.#root
    for (const name of names) {
      if (!(node instanceof DirectoryImage)) return undefined
      const next = node.get(name)
      if (next === undefined) return undefined
      node = next
    }
    return node
  }

  /** The directory that holds `path`, and the last part of the path. */
  parent(path: string): { directory: DirectoryImage | undefined; name: string } {
    const names = split(path)
    const directory = this.#walk(names.slice(0, -1))
    const name = names.at(-1) ?? ''
    return { directory: directory instanceof DirectoryImage ? directory : undefined, name }
  }

  /** Every file, by path, in order. */
  files(): Map<string, FileImage> {
    const found = new Map<string, FileImage>()
    collect(this.#root, '', found)
    return found
  }

  /** The power goes and comes back: unsynced state is kept or lost as the seed says. */
  losePower(random: SeededRandom): PowerLoss {
    // Each loss has its own temper, from "nearly all survives" to "nothing does".
    const keepIn256 = random.pick([0, 20, 128, 128, 236, 256])
    const loss: PowerLoss = {
      kept: 0,
      lost: 0,
      torn: 0,
      reordered: false,
      sizeCut: false,
      directoryOperationsLost: this.#root.settle(random, keepIn256),
      files: [],
    }
    this.#root.restart()
    this.locked.clear()
    for (const [path, file] of this.files()) {
      const before = loss.lost + loss.torn
      file.losePower(random, keepIn256, loss)
      if (loss.lost + loss.torn > before) loss.files.push(path)
    }
    this.#count()
    return loss
  }

  /** The system drops clean pages from memory, as it may at any time. */
  evict(): void {
    for (const file of this.files().values()) file.evict()
  }

  /** An independent disk with the same content; directory entries count as synced there. */
  copy(): SimulatedDisk {
    return new SimulatedDisk(this.#root.copy())
  }

  #count(): void {
    this.usedBytes = 0
    for (const file of this.files().values()) this.usedBytes += file.sizeBytes
  }
}

// Few paths are asked for very often.
const splitPaths = new Map<string, readonly string[]>()

function split(path: string): readonly string[] {
  const known = splitPaths.get(path)
  if (known !== undefined) return known
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (splitPaths.size > 1000) splitPaths.clear()
  splitPaths.set(path, names)
  return names
}

function collect(directory: DirectoryImage, prefix: string, into: Map<string, FileImage>): void {
  for (const [name, node] of directory.nodes) {
    if (node instanceof FileImage) into.set(`${prefix}${name}`, node)
    else collect(node, `${prefix}${name}/`, into)
  }
}
