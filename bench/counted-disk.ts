import { nodeFileSystem, nodePorts, type File, type Ports } from '@millrace/core/io'

/** The real disk, with a note of how many bytes each sync of a segment covered. */
export function countedDisk(): { ports: Ports; groupBytes: number[] } {
  const groupBytes: number[] = []
  const fileSystem = {
    ...nodeFileSystem,
    async open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
      const file = await nodeFileSystem.open(path, mode)
      const isData = path.endsWith('.log') && path.includes('bench-topic')
      return isData ? counted(file, groupBytes) : file
    },
  }
  return { ports: { ...nodePorts, fileSystem }, groupBytes }
}

function counted(file: File, groupBytes: number[]): File {
  let unsynced = 0
  return {
    read: (into, position) => file.read(into, position),
    async write(from, position, hint) {
      const taken = await file.write(from, position, hint)
      unsynced += taken
      return taken
    },
    sync() {
      if (unsynced > 0) groupBytes.push(unsynced)
      unsynced = 0
      return file.sync()
    },
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    size: () => file.size(),
    close: () => file.close(),
  }
}
