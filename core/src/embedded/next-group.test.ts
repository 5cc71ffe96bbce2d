import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { BatchWriter } from '../batch/index.ts'
import { type File, nodeFileSystem, nodePorts } from '../io/index.ts'
import { open } from '../open.ts'

// Two of these are more than one sync may cover.
const VALUE = Buffer.alloc(600 * 1024, 'x')

let directory: string
/** For each write of records, whether the system had it when the call returned. */
let writes: boolean[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-next-group-'))
  writes = []
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const fileSystem = {
  ...nodeFileSystem,
  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<File> {
    const file = await nodeFileSystem.open(path, mode)
    const write: File['write'] = (from, position, hint) => {
      const before = requestsUnderWay()
      const writing = file.write(from, position, hint)
      if (from.length > VALUE.length) writes.push(requestsUnderWay() > before)
      return writing
    }
    return {
      read: (into, position) => file.read(into, position),
      write,
      sync: () => file.sync(),
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      size: () => file.size(),
      close: () => file.close(),
    }
  },
}

function requestsUnderWay(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'FSReqCallback').length
}

it('the next group is on its way to the disk before anybody hears of the one before it', async () => {
  const log = await open(directory, { ports: { ...nodePorts, fileSystem } })
  await log.createTopic({ name: 't' })
  const append = () => {
    const writer = new BatchWriter()
    writer.append(null, VALUE, 0)
    return log.append({ topic: 't', partition: 0, batch: writer.finish() })
  }
  // The first ones open what the others use.
  await append()
  await append()
  const first = append()
  const second = append()
  const writesWhenTold = await first.then(() => [...writes])
  await second
  await log.close()
  expect(writesWhenTold).toHaveLength(4)
  expect(writesWhenTold.slice(2)).toEqual([true, true])
})
