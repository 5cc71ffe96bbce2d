/**
 * An open file. All reads and writes name their position in bytes from the start of the file; there
 * is no cursor.
 */
export interface File {
  /**
   * Reads up to `into.length` bytes at `position` and resolves with how many came, which may be
   * fewer; 0 means end of file.
   */
  read(into: Uint8Array, position: number): Promise<number>
  /**
   * Writes bytes at `position` and resolves with how many were taken, which **may be fewer** than
   * given (a full disk does this without an error): callers loop. `beforeSync` says that {@link sync}
   * comes next, so that both may be done in one step; the sync must be called all the same.
   * `neverSynced` says that nobody relies on these bytes being on the disk.
   */
  write(from: Uint8Array, position: number, hint?: WriteHint): Promise<number>
  /**
   * Resolves once every earlier write of this file survives power loss (fdatasync). After a
   * rejection it is unknown what is on the disk, and a second call may succeed wrongly: never retry.
   */
  sync(): Promise<void>
  /** Cuts or extends the file to `sizeBytes`; durable after the next {@link sync}. */
  truncate(sizeBytes: number): Promise<void>
  /** Current size in bytes. */
  size(): Promise<number>
  /** Releases the descriptor; unsynced data stays unsynced. */
  close(): Promise<void>
}

/** What follows a write; see {@link File.write}. */
export type WriteHint = 'beforeSync' | 'neverSynced'

/** A lock held on a file; the kernel frees it when the process ends, however it ends. */
export interface FileLock {
  release(): Promise<void>
}

/**
 * The disk, as much of it as the log needs. Paths are absolute or relative to the process. Errors
 * are Node's `ErrnoException`s (`code: 'ENOENT' | 'ENOSPC' | 'EIO' | …`), never translated here.
 */
export interface FileSystem {
  /** How many syncs may run at once without anything else having to wait for them. */
  readonly syncsAtOnce: number
  /** `read`: must exist. `write`: read and write, must exist. `create`: read and write, made when absent. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<File>
  /** Names in a directory, sorted; rejects with ENOENT when there is none. */
  list(directory: string): Promise<string[]>
  /** What stands at a path; `undefined` when nothing does. */
  stat(path: string): Promise<{ kind: 'file' | 'directory'; sizeBytes: number } | undefined>
  /** Makes one directory (mode 0700); fine when it exists already. */
  makeDirectory(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file. */
  remove(path: string): Promise<void>
  /** Removes an empty directory. */
  removeDirectory(directory: string): Promise<void>
  /** Resolves once the entries of this directory (creations, renames, removals) survive power loss. */
  syncDirectory(directory: string): Promise<void>
  /** Bytes free for this process on the disk of `path`. */
  freeBytes(path: string): Promise<number>
  /** Takes an exclusive lock on an existing file; `undefined` when another process (or handle) has it. */
  tryLock(path: string): Promise<FileLock | undefined>
}
