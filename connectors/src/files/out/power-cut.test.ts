import { sep } from 'node:path'
import { describe, expect, test } from 'vitest'
import { claimTask, filesSpec, writeRest } from '../testing/files-sink-fixture.ts'
import { MemoryDisk } from '../testing/memory-disk.ts'

const COUNT = 60
const spec = filesSpec('/out')

/** The numbers in all files that a reader can see. */
function published(disk: MemoryDisk): number[] {
  const seen = [...disk.files()].filter(([path]) => !path.split(sep).includes('.millrace'))
  return seen.flatMap(([, bytes]) =>
    bytes
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { n: number }).n),
  )
}

const everyOne = Array.from({ length: COUNT }, (_, n) => n)

/** The same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed * 2654435761
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

async function stepsOfARun(): Promise<number> {
  const disk = new MemoryDisk(randomOf(0))
  await writeRest(await claimTask(spec, disk), COUNT)
  expect(published(disk).toSorted((a, b) => a - b)).toEqual(everyOne)
  return disk.steps
}

describe('whenever the power is cut', () => {
  test('published files hold whole lines and no record twice; in the end each once', async () => {
    const steps = await stepsOfARun()
    expect(steps).toBeGreaterThan(100)
    for (let cutAt = 1; cutAt <= steps; cutAt++) {
      for (const seed of [1, 2, 3]) {
        const disk = new MemoryDisk(randomOf(cutAt * 10 + seed))
        disk.cutAt = cutAt
        await claimTask(spec, disk)
          .then((task) => writeRest(task, COUNT))
          .catch(() => {})
        disk.restart()
        const after = published(disk)
        expect(new Set(after).size, `cut before step ${cutAt}, seed ${seed}`).toBe(after.length)
        // A second cut, while the first is repaired.
        disk.cutAt = disk.steps + 1 + ((cutAt * 7 + seed) % 40)
        await claimTask(spec, disk)
          .then((task) => writeRest(task, COUNT))
          .catch(() => {})
        disk.restart()
        await writeRest(await claimTask(spec, disk), COUNT)
        const all = published(disk).toSorted((a, b) => a - b)
        expect(all, `cut before step ${cutAt}, seed ${seed}`).toEqual(everyOne)
      }
    }
  })

  test('what was flushed stays, and nothing of what was left under way', async () => {
    const disk = new MemoryDisk(() => 0)
    await writeRest(await claimTask(spec, disk), 30)
    disk.restart()
    expect(published(disk).toSorted((a, b) => a - b)).toEqual(everyOne.slice(0, 30))
    await writeRest(await claimTask(spec, disk), COUNT)
    expect([...disk.files().keys()].filter((path) => /\.(part|tmp)$/.test(path))).toEqual([])
  })
})

test('a process that sleeps at any step and wakes after its successor ended publishes nothing', async () => {
  const steps = await stepsOfARun()
  for (let sleepAt = 1; sleepAt <= steps; sleepAt += 1) {
    const disk = new MemoryDisk(randomOf(sleepAt))
    const { sleeping, fallen, wake } = sleeper(disk, sleepAt)
    const old = claimTask(spec, sleeping).then((task) => writeRest(task, COUNT))
    const outcome = old.then(
      () => 'ended',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    )
    await Promise.race([fallen, outcome])
    await writeRest(await claimTask(spec, disk), COUNT)
    wake()
    expect(['ended', 'SINK_FENCED', 'OUTPUT_UNWRITABLE']).toContain(await outcome)
    const all = published(disk).toSorted((a, b) => a - b)
    expect(all, `asleep before step ${sleepAt}: ${await outcome}`).toEqual(everyOne)
  }
})

/** The same disk, for a process that falls asleep before one of its steps. */
function sleeper(disk: MemoryDisk, sleepAt: number) {
  const woken = Promise.withResolvers<void>()
  const fallen = Promise.withResolvers<void>()
  let steps = 0
  const sleeping = new Proxy(disk, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name)
      if (typeof found !== 'function') return found
      return async (...words: unknown[]): Promise<unknown> => {
        steps++
        if (steps === sleepAt) {
          fallen.resolve()
          await woken.promise
        }
        return (found as (...words: unknown[]) => unknown).apply(target, words)
      }
    },
  })
  return { sleeping, fallen: fallen.promise, wake: woken.resolve }
}
