import { basename, dirname } from 'node:path'
import type { File, FileSystem } from '@millrace/core/io'
import type { Failpoints } from './failpoints.ts'

/** The disk, with a failpoint before and after everything that changes it. */
export function failingDisk(disk: FileSystem, failpoints: Failpoints): FileSystem {
  const around = <T>(operation: string, path: string, call: () => Promise<T>) =>
    failpoints.around(`disk ${operation} ${kindOf(path)}`, call)
  return {
    syncsAtOnce: disk.syncsAtOnce,
    async open(path, mode) {
      const file = await around(`open-${mode}`, path, () => disk.open(path, mode))
      return failingFile(file, kindOf(path), failpoints)
    },
    list: (directory) => disk.list(directory),
    stat: (path) => disk.stat(path),
    makeDirectory: (path) => around('makeDirectory', 'directory', () => disk.makeDirectory(path)),
    rename: (from, to) => around('rename', to, () => disk.rename(from, to)),
    remove: (path) => around('remove', path, () => disk.remove(path)),
    removeDirectory: (path) => disk.removeDirectory(path),
    syncDirectory: (path) => around('syncDirectory', 'directory', () => disk.syncDirectory(path)),
    freeBytes: (path) => disk.freeBytes(path),
    tryLock: (path) => disk.tryLock(path),
  }
}

function failingFile(file: File, kind: string, failpoints: Failpoints): File {
  return {
    read: (into, position) => file.read(into, position),
    write: (from, position) =>
      failpoints.around(`disk write ${kind}`, () => file.write(from, position)),
    sync: () => failpoints.around(`disk sync ${kind}`, () => file.sync()),
    truncate: (size) => failpoints.around(`disk truncate ${kind}`, () => file.truncate(size)),
    size: () => file.size(),
    close: () => file.close(),
  }
}

/** Files by their role: those of any partition of a topic, whatever their number, are one kind. */
function kindOf(path: string): string {
  const named = basename(path)
  const isPartOfTopic = /\.(log|index|timeindex)$|^durable-watermark$/.test(named)
  const name = isPartOfTopic ? `${basename(dirname(path))}/${named}` : named
  return name.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, 'N')
}
