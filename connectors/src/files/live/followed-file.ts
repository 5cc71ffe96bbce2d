import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '@millrace/core'
import { readExactly } from '../file-identity.ts'
import { openFailed, unreadable } from '../input-error.ts'

/** Which file a position was made for, however long it has grown since. */
export type GrowingIdentity = {
  /** Its inode, in digits. */
  readonly inode: string
  /** SHA-256 over so many of its first bytes, shortened to 128 bits, hexadecimal. */
  readonly headBytes: number
  readonly headHash: string
}

const HEAD_BYTES_MAX = 1024
const CHUNK_BYTES = 256 * 1024
const POLL_MS = 200
/** Whoever writes may have the old file open for a while after it got another name. */
const QUIET_MS = 1000
const SEARCHES = 3

/**
 * A file that grows, as `tail -F` reads it. States: reading ⇄ waiting for more → superseded (another
 * file has its name; read on until it is quiet) → ended; or truncated, from any of them.
 */
export class FollowedFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #inode: string
  #identity: GrowingIdentity
  #byte: number
  #sizeBytes = 0
  #supersededSinceMs: number | undefined
  /** Where reading of it began. */
  readonly startByte: number
  isTruncated = false

  private constructor(path: string, file: FileHandle, identity: GrowingIdentity, byte: number) {
    this.#path = path
    this.#file = file
    this.#inode = identity.inode
    this.#identity = identity
    this.#byte = byte
    this.startByte = byte
  }

  /** Opens the file that has the name now, at its beginning. */
  static async open(path: string): Promise<FollowedFile> {
    return FollowedFile.#at(path, path, 0)
  }

  /**
   * Opens the file that a position was made for, whatever it is called now; at its beginning when it
   * was cut since.
   *
   * @throws UsageError INPUT_CHANGED it is gone, so that nobody can say what was not read of it.
   */
  static async reopen(
    path: string,
    identity: GrowingIdentity,
    byte: number,
  ): Promise<FollowedFile> {
    // Rotation may give it another name while we look.
    for (let attempt = 0; attempt < SEARCHES; attempt++) {
      for (const name of [path, ...(await oldNames(path))]) {
        const found = await FollowedFile.#at(path, name, byte).catch(() => undefined)
        if (found !== undefined && found.#inode === identity.inode) {
          if (await found.#continues(identity, byte)) return found
          if (name === path) {
            await found.close()
            return FollowedFile.#at(path, path, 0)
          }
        }
        await found?.close()
      }
    }
    throw new UsageError(
      'INPUT_CHANGED',
      `${path} is another file than the one that was read up to byte ${byte}, and that one is not beside it ` +
        `under another name. What was not read of it can't be told: put it back as ${basename(path)}.1 and ` +
        'start again; or name the pipeline anew to begin with the file that is there.',
      { facts: { file: path } },
    )
  }

  static async #at(path: string, name: string, byte: number): Promise<FollowedFile> {
    let file: FileHandle
    try {
      file = await open(name, 'r')
    } catch (error) {
      throw openFailed(path, error)
    }
    const { ino } = await file.stat({ bigint: true })
    const followed = new FollowedFile(
      path,
      file,
      { inode: String(ino), headBytes: 0, headHash: '' },
      byte,
    )
    await followed.#refuseCompressed()
    return followed
  }

  /** As far as can be said now; the head is more of it as it grows. */
  async identity(): Promise<GrowingIdentity> {
    if (this.#identity.headBytes < HEAD_BYTES_MAX) {
      const head = await readExactly(this.#file, 0, HEAD_BYTES_MAX)
      const { length } = head
      this.#identity = { inode: this.#inode, headBytes: length, headHash: hashOf(head) }
    }
    return this.#identity
  }

  /** The next bytes; waits for some. Undefined: no more will come of this file, or the signal fired. */
  async next(signal: AbortSignal): Promise<Buffer | undefined> {
    while (!signal.aborted) {
      if (await this.#wasTruncated()) {
        this.isTruncated = true
        return undefined
      }
      const bytes = await readExactly(this.#file, this.#byte, CHUNK_BYTES)
      if (bytes.length > 0) {
        this.#byte += bytes.length
        this.#supersededSinceMs = undefined
        return bytes
      }
      if (await this.#hasEnded()) return undefined
      await sleep(POLL_MS, undefined, { signal }).catch(() => {})
    }
    return undefined
  }

  /**
   * The file that was written after this one: an older generation that has been renamed too, or the one
   * of the name. Names may change while we look, so what was opened is looked at again.
   */
  async successor(): Promise<FollowedFile> {
    for (;;) {
      const named = await FollowedFile.#at(this.#path, this.#path, 0)
      const older = this.isTruncated ? undefined : await this.#nextGeneration()
      if (older === undefined || older.inode === named.#inode) return named
      await named.close()
      const found = await FollowedFile.#at(this.#path, older.name, 0).catch(() => undefined)
      if (found !== undefined && found.#inode === older.inode) return found
      await found?.close()
    }
  }

  /** The first that was written after this one, of those that were renamed. */
  async #nextGeneration(): Promise<{ name: string; inode: string } | undefined> {
    const { mtimeNs } = await this.#file.stat({ bigint: true })
    let next: { name: string; inode: string; mtimeNs: bigint } | undefined
    for (const name of await oldNames(this.#path)) {
      const found = await stat(name, { bigint: true }).catch(() => undefined)
      const inode = String(found?.ino)
      if (found?.isFile() !== true || inode === this.#inode || found.mtimeNs <= mtimeNs) continue
      if (next === undefined || found.mtimeNs < next.mtimeNs) {
        next = { name, inode, mtimeNs: found.mtimeNs }
      }
    }
    return next
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /** Only looked for when the size has changed: then it was written to, or replaced. */
  async #wasTruncated(): Promise<boolean> {
    const { size } = await this.#file.stat()
    if (size === this.#sizeBytes) return false
    this.#sizeBytes = size
    return size < this.#byte || !(await this.#hasHead(this.#identity))
  }

  /** Is it the file of that position, grown at most? */
  async #continues(identity: GrowingIdentity, byte: number): Promise<boolean> {
    const { size } = await this.#file.stat()
    return size >= byte && (await this.#hasHead(identity))
  }

  async #hasHead({ headBytes, headHash }: GrowingIdentity): Promise<boolean> {
    if (headBytes === 0) return true
    return hashOf(await readExactly(this.#file, 0, headBytes)) === headHash
  }

  async #hasEnded(): Promise<boolean> {
    const named = await stat(this.#path, { bigint: true }).catch(() => undefined)
    // Renamed, and the new one is not there yet.
    if (named === undefined || String(named.ino) === this.#inode) return false
    const nowMs = performance.now()
    this.#supersededSinceMs ??= nowMs
    return nowMs - this.#supersededSinceMs >= QUIET_MS
  }

  async #refuseCompressed(): Promise<void> {
    const magic = await readExactly(this.#file, 0, 4)
    const isGzip = magic[0] === 0x1f && magic[1] === 0x8b
    if (!isGzip && !(magic.length === 4 && magic.readUInt32LE(0) === 0xfd2fb528)) return
    await this.#file.close()
    const next = 'Follow the file before it is compressed, or read it without follow.'
    throw unreadable(this.#path, "compressed, which can't be followed as it grows", next)
  }
}

/** What rotation may have called files of this name: `app.log.1`, `app.log-20260131`; not compressed. */
async function oldNames(path: string): Promise<string[]> {
  const directory = dirname(path)
  const base = basename(path)
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((name) => name.startsWith(base) && /^[.-]/.test(name.slice(base.length)))
    .filter((name) => !/\.(gz|zst|bz2|xz|lz4)$/.test(name))
    .map((name) => join(directory, name))
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32)
}
