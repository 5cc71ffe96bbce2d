import type { SeededRandom } from './seeded-random.ts'

/** The unit in which the simulated disk keeps or loses unsynced bytes. */
export const SECTOR_BYTES = 512

/** What a power loss did to the unsynced part of one file. */
export interface SectorLoss {
  kept: number
  lost: number
  torn: number
  /** A sector was kept although one before it was lost. */
  reordered: boolean
  sizeCut: boolean
}

/** The state of a file when a sync of it began. */
export interface SyncPoint {
  readonly version: number
  readonly sizeBytes: number
}

/**
 * The bytes of one file twice: as the running system sees them (cache), and as they lie on the
 * platter (disk). A power loss keeps any subset of the sectors that differ.
 *
 * Assumption ("powersafe overwrite"): a sector that is being written when the power goes holds its
 * old bytes, its new ones, or new ones up to some byte and old ones after; bytes that were not
 * written are never damaged.
 */
export class FileImage {
  #cache = new Uint8Array(SECTOR_BYTES)
  #disk = new Uint8Array(0)
  #size = 0
  #diskSize = 0
  // Version of the last change of size that is not on the disk; 0 when there is none.
  #sizeVersion = 0
  #diskSizeVersion = 0
  #version = 0
  // Sector → version of the first write since the sector was last on the disk.
  #dirty = new Map<number, number>()
  // Sectors that a failed sync left marked clean though the disk lacks them.
  #ghosts = new Set<number>()

  get sizeBytes(): number {
    return this.#size
  }

  /** Identifies the writes made so far; give it to {@link synced}. */
  beginSync(): SyncPoint {
    return { version: this.#version, sizeBytes: this.#size }
  }

  /** A view of the cached bytes; only for reading, and only until the next write. */
  get bytes(): Uint8Array {
    return this.#cache.subarray(0, this.#size)
  }

  /** The same bytes in cache and on disk, as after a sync. */
  static of(bytes: Uint8Array): FileImage {
    const image = new FileImage()
    image.write(bytes, 0)
    image.synced(image.beginSync())
    return image
  }

  read(into: Uint8Array, position: number): number {
    const count = Math.min(into.length, Math.max(0, this.#size - position))
    if (count > 0) into.set(this.#cache.subarray(position, position + count))
    return count
  }

  write(from: Uint8Array, position: number): void {
    const end = position + from.length
    this.#version += 1
    this.#reserve(end)
    this.#cache.set(from, position)
    this.#markDirty(position, end)
    if (end > this.#size) {
      this.#size = end
      this.#sizeVersion = this.#version
    }
  }

  truncate(sizeBytes: number): void {
    this.#version += 1
    this.#reserve(sizeBytes)
    if (sizeBytes < this.#size) {
      this.#cache.fill(0, sizeBytes, this.#size)
      this.#markDirty(sizeBytes, this.#size)
    }
    if (sizeBytes !== this.#size) this.#sizeVersion = this.#version
    this.#size = sizeBytes
  }

  /** The sync that began at `point` has succeeded: everything written before it is on the disk. */
  synced(point: SyncPoint): void {
    this.#reserveDisk()
    for (const [sector, firstVersion] of this.#dirty) {
      if (firstVersion <= point.version) this.#toDisk(sector)
    }
    if (point.version < this.#diskSizeVersion) return
    this.#diskSizeVersion = point.version
    this.#setDiskSize(this.#sizeVersion <= point.version ? this.#size : point.sizeBytes)
  }

  /**
   * A sync has failed: any part of it may have reached the disk, and the system forgets the rest is
   * missing. A second sync succeeds and writes nothing, as on ext4, XFS and Btrfs.
   */
  syncFailed(random: SeededRandom): void {
    this.#reserveDisk()
    for (const sector of this.#dirty.keys()) {
      if (random.chance(2)) this.#toDisk(sector)
      else this.#ghosts.add(sector)
    }
    this.#dirty.clear()
    if (random.chance(2)) this.#setDiskSize(this.#size)
    this.#sizeVersion = 0
  }

  /** The system writes some of the dirty sectors on its own account. */
  writeBack(random: SeededRandom): void {
    this.#reserveDisk()
    for (const sector of this.#dirty.keys()) if (random.chance(2)) this.#toDisk(sector)
  }

  /** The system drops clean pages from memory: what a failed sync left unwritten is seen to be gone. */
  evict(): void {
    for (const sector of this.#ghosts) {
      const start = sector * SECTOR_BYTES
      this.#cache.fill(0, start, start + SECTOR_BYTES)
      this.#cache.set(this.#disk.subarray(start, start + SECTOR_BYTES), start)
    }
    this.#cache.fill(0, this.#size)
    this.#ghosts.clear()
  }

  /** The power goes: each unsynced sector survives with probability `keepIn256 / 256`. */
  losePower(random: SeededRandom, keepIn256: number, loss: SectorLoss): void {
    if (this.#dirty.size > 0) {
      this.#reserveDisk()
      let lostOne = false
      for (const sector of [...this.#dirty.keys()].toSorted((a, b) => a - b)) {
        if (random.chance(12)) {
          this.#toDisk(sector, random.integer(SECTOR_BYTES + 1))
          loss.torn += 1
        } else if (random.integer(256) < keepIn256) {
          this.#toDisk(sector)
          loss.kept += 1
          if (lostOne) loss.reordered = true
        } else {
          loss.lost += 1
          lostOne = true
        }
      }
    }
    if (this.#sizeVersion > 0 && this.#size !== this.#diskSize) {
      const chosen = this.#sizeAfterPowerLoss(random)
      if (chosen < this.#size) loss.sizeCut = true
      this.#setDiskSize(chosen)
    }
    this.#restart()
  }

  /** Flips the bits of `mask` in one byte, on the disk and in memory, as decay of the medium does. */
  rot(position: number, mask: number): void {
    for (const bytes of [this.#cache, this.#disk]) {
      const byte = bytes[position]
      if (byte !== undefined) bytes[position] = byte ^ mask
    }
  }

  /** An independent copy, unsynced state included. */
  copy(): FileImage {
    const twin = new FileImage()
    twin.#cache = this.#cache.slice()
    twin.#disk = this.#disk.slice()
    twin.#size = this.#size
    twin.#diskSize = this.#diskSize
    twin.#sizeVersion = this.#sizeVersion
    twin.#diskSizeVersion = this.#diskSizeVersion
    twin.#version = this.#version
    twin.#dirty = new Map(this.#dirty)
    twin.#ghosts = new Set(this.#ghosts)
    return twin
  }

  #sizeAfterPowerLoss(random: SeededRandom): number {
    const low = Math.min(this.#size, this.#diskSize)
    const high = Math.max(this.#size, this.#diskSize)
    const kind = random.integer(4)
    if (kind === 0) return this.#diskSize
    if (kind === 1) return this.#size
    return low + random.integer(high - low + 1)
  }

  #restart(): void {
    this.#cache = new Uint8Array(sectorCeil(Math.max(this.#diskSize, 1)))
    this.#cache.set(this.#disk.subarray(0, this.#diskSize))
    this.#disk.fill(0, this.#diskSize)
    this.#size = this.#diskSize
    this.#sizeVersion = 0
    this.#diskSizeVersion = 0
    this.#version = 0
    this.#dirty.clear()
    this.#ghosts.clear()
  }

  #setDiskSize(sizeBytes: number): void {
    this.#diskSize = sizeBytes
    if (sizeBytes === this.#size) this.#sizeVersion = 0
  }

  #markDirty(start: number, end: number): void {
    for (let sector = Math.floor(start / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector += 1) {
      if (!this.#dirty.has(sector)) this.#dirty.set(sector, this.#version)
      if (this.#ghosts.size > 0) this.#ghosts.delete(sector)
    }
  }

  /** Copies a sector (or its first `bytes`) to the disk. */
  #toDisk(sector: number, bytes = SECTOR_BYTES): void {
    const start = sector * SECTOR_BYTES
    this.#disk.set(this.#cache.subarray(start, start + bytes), start)
    if (bytes === SECTOR_BYTES) this.#dirty.delete(sector)
  }

  #reserve(sizeBytes: number): void {
    if (sizeBytes <= this.#cache.length) return
    const grown = new Uint8Array(sectorCeil(Math.max(sizeBytes, this.#cache.length * 2)))
    grown.set(this.#cache)
    this.#cache = grown
  }

  #reserveDisk(): void {
    const needed = sectorCeil(this.#cache.length)
    if (this.#disk.length >= needed) return
    const grown = new Uint8Array(needed)
    grown.set(this.#disk)
    this.#disk = grown
  }
}

function sectorCeil(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES
}
