import { type Log, MillraceError, verifyLog } from '@millrace/core'
import { DIRECTORY } from './directory.ts'
import { promise } from './promise.ts'
import { readAll } from './readers.ts'
import { partitionsThere, verifyRecovered } from './verify.ts'
import type { World } from './world.ts'

/**
 * Flips one bit of a segment of a log that lies closed. It must be noticed, nothing wrong may be read,
 * and no byte may be deleted: once the bit is flipped back, everything is there again.
 */
export async function decay(world: World, open: () => Promise<Log>): Promise<void> {
  const { random, tally } = world
  // What was never synced can't be told from a torn tail.
  const files = [...world.machine.disk.files()].filter(
    ([path, { sizeBytes }]) =>
      path.endsWith('.log') && sizeBytes > 0 && !path.includes('/fleeting-'),
  )
  if (files.length === 0) return
  const [path, image] = random.pick(files)
  const { sizeBytes } = image
  const position = random.integer(sizeBytes)
  const mask = 1 << random.integer(8)
  image.rot(position, mask)
  const isRead = await readRotten(world, open)
  const isReported = await isNamed(world, path, position)
  promise(
    isReported,
    () =>
      `${path}: the flipped bit in byte ${position} is not named by verifyLog${isRead ? ', yet noticed by reading' : ''}`,
  )
  const after = world.machine.disk.files().get(path)
  promise(
    after === image && after.sizeBytes >= sizeBytes,
    () => `${path}: damaged at byte ${position}, and then cut or deleted`,
  )
  image.rot(position, mask)
  tally.count('bit rot noticed')
  world.boot()
  world.log = await open()
  await verifyRecovered(world)
}

/** Whether `verifyLog` names the file, and no byte behind the damaged one. */
async function isNamed(world: World, path: string, position: number): Promise<boolean> {
  world.boot()
  const { faults } = await verifyLog(DIRECTORY, { ports: world.ports })
  return faults.some((fault) => fault.file === `/${path}` && fault.position <= position)
}

/** Opens and reads all; whether anything said that the data is damaged. */
async function readRotten(world: World, open: () => Promise<Log>): Promise<boolean> {
  world.boot()
  world.corruptAnswers = 0
  try {
    world.log = await open()
    const { damaged } = await world.log.describe()
    for (const partition of partitionsThere(world)) {
      await readAll(world, partition, 'read_uncommitted', partition.startOffset)
    }
    return damaged.length > 0 || (world.corruptAnswers ?? 0) > 0
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'CORRUPT_DATA') return true
    throw error
  } finally {
    world.corruptAnswers = undefined
  }
}
