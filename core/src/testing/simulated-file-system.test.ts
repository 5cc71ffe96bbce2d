import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failAt } from './faults.ts'
import { SimulatedMachine, simulatedPorts } from './simulated-machine.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What a process on this machine reads from a file; `undefined` when there is none. */
async function content(machine: SimulatedMachine, path: string): Promise<string | undefined> {
  const { fileSystem } = machine.boot()
  if ((await fileSystem.stat(path)) === undefined) return undefined
  const file = await fileSystem.open(path, 'read')
  const into = new Uint8Array(await file.size())
  for (let position = 0; position < into.length;) {
    position += await file.read(into.subarray(position), position)
  }
  return new TextDecoder().decode(into)
}

/** What may stand in a file after a power loss, over many seeds. */
async function outcomes(
  path: string,
  before: (machine: SimulatedMachine) => Promise<void>,
): Promise<Set<string | undefined>> {
  const found = new Set<string | undefined>()
  for (let seed = 0; seed < 200; seed += 1) {
    const machine = new SimulatedMachine(seed)
    await before(machine)
    machine.losePower()
    found.add(await content(machine, path))
  }
  return found
}

describe('a power loss', () => {
  test('keeps every synced byte and loses or keeps each unsynced sector, whatever was written', async () => {
    const write = fc.record({
      position: fc.nat(4000),
      length: fc.integer({ min: 1, max: 1500 }),
      sync: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 12 }), fc.nat(), async (writes, seed) => {
        const machine = new SimulatedMachine(seed)
        const { fileSystem } = machine.boot()
        const file = await fileSystem.open('/f', 'create')
        await fileSystem.syncDirectory('/')
        // Per byte: what it may hold after the loss; the last is what was synced.
        const possible: number[][] = Array.from({ length: 6000 }, () => [0])
        let syncedSize = 0
        let size = 0
        for (const [index, { position, length, sync }] of writes.entries()) {
          await file.write(new Uint8Array(length).fill(index + 1), position)
          for (let at = position; at < position + length; at += 1) possible[at]?.push(index + 1)
          size = Math.max(size, position + length)
          if (!sync) continue
          await file.sync()
          syncedSize = size
          for (const values of possible) values.splice(0, values.length - 1)
        }
        machine.losePower()
        const found = Buffer.from((await content(machine, '/f')) ?? '')
        expect(found.length).toBeGreaterThanOrEqual(syncedSize)
        expect(found.length).toBeLessThanOrEqual(size)
        const wrong = [...found.keys()].filter((at) => !possible[at]?.includes(found[at] ?? -1))
        expect(wrong).toEqual([])
      }),
    )
  })

  test('may keep a later sector and lose an earlier one', async () => {
    const found = await outcomes('/f', async (machine) => {
      const { fileSystem } = machine.boot()
      const file = await fileSystem.open('/f', 'create')
      await fileSystem.syncDirectory('/')
      await file.truncate(1024)
      await file.sync()
      await file.write(bytes('a'), 0)
      await file.write(bytes('b'), 1023)
    })
    const ends = [...found].map((text) => `${text?.at(0)}${text?.at(-1)}`)
    expect(new Set(ends)).toEqual(new Set(['\0\0', 'a\0', '\0b', 'ab']))
  })

  test('loses a synced file whose directory was not synced, or keeps it', async () => {
    const found = await outcomes('/d/f', async (machine) => {
      const { fileSystem } = machine.boot()
      await fileSystem.makeDirectory('/d')
      await fileSystem.syncDirectory('/')
      const file = await fileSystem.open('/d/f', 'create')
      await file.write(bytes('x'), 0)
      await file.sync()
    })
    expect(found).toEqual(new Set([undefined, 'x']))
  })

  test('leaves an empty file after a rename without a sync of the file', async () => {
    const found = await outcomes('/f', async (machine) => {
      const { fileSystem } = machine.boot()
      const file = await fileSystem.open('/f.tmp', 'create')
      await file.write(bytes('x'), 0)
      await fileSystem.rename('/f.tmp', '/f')
      await fileSystem.syncDirectory('/')
    })
    expect(found).toContain('')
    expect(found).toContain('x')
  })

  test('replaces a file by rename wholly or not at all', async () => {
    const found = await outcomes('/f', async (machine) => {
      const { fileSystem } = machine.boot()
      for (const text of ['old', 'new']) {
        const file = await fileSystem.open('/f.tmp', 'create')
        await file.write(bytes(text), 0)
        await file.sync()
        await fileSystem.rename('/f.tmp', '/f')
        if (text === 'old') await fileSystem.syncDirectory('/')
      }
    })
    expect(found).toEqual(new Set(['old', 'new']))
  })

  test('keeps the files of a renamed directory, under the old name or the new', async () => {
    const before = async (machine: SimulatedMachine): Promise<void> => {
      const { fileSystem } = machine.boot()
      await fileSystem.makeDirectory('/a')
      const file = await fileSystem.open('/a/f', 'create')
      await file.write(bytes('x'), 0)
      await file.sync()
      await fileSystem.syncDirectory('/a')
      await fileSystem.syncDirectory('/')
      await fileSystem.rename('/a', '/b')
    }
    expect(await outcomes('/a/f', before)).toEqual(new Set([undefined, 'x']))
    expect(await outcomes('/b/f', before)).toEqual(new Set([undefined, 'x']))
  })

  test('ends the process: nothing it asked for finishes, and its lock is free', async () => {
    const machine = new SimulatedMachine(1)
    const { fileSystem } = machine.boot()
    const file = await fileSystem.open('/lock', 'create')
    await fileSystem.syncDirectory('/')
    expect(await fileSystem.tryLock('/lock')).toBeDefined()
    expect(await fileSystem.tryLock('/lock')).toBeUndefined()
    let isSettled = false
    void file.sync().finally(() => (isSettled = true))
    machine.losePower()
    const next = machine.boot().fileSystem
    expect(await next.tryLock('/lock')).toBeDefined()
    expect(isSettled).toBe(false)
  })
})

test('kill −9 keeps what was written, synced or not', async () => {
  const machine = new SimulatedMachine(3)
  const file = await machine.boot().fileSystem.open('/f', 'create')
  await file.write(bytes('x'), 0)
  machine.kill()
  expect(await content(machine, '/f')).toBe('x')
})

test('a sync that follows a failed one succeeds and writes nothing', async () => {
  const found = await outcomes('/f', async (machine) => {
    const { fileSystem } = machine.boot()
    const file = await fileSystem.open('/f', 'create')
    await fileSystem.syncDirectory('/')
    await file.truncate(1)
    await file.sync()
    await file.write(bytes('x'), 0)
    fileSystem.faults = failAt(6, 'EIO')
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await file.sync()
  })
  expect(found).toEqual(new Set(['\0', 'x']))
})

test('a full disk takes a part of a write, then refuses', async () => {
  const { fileSystem, machine } = simulatedPorts()
  machine.disk.capacityBytes = 10
  const file = await fileSystem.open('/f', 'create')
  expect(await file.write(new Uint8Array(8), 0)).toBe(8)
  expect(await file.write(new Uint8Array(8), 8)).toBe(2)
  await expect(file.write(new Uint8Array(6), 10)).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(await fileSystem.freeBytes('/')).toBe(0)
  await fileSystem.remove('/f')
  expect(await fileSystem.freeBytes('/')).toBe(10)
})

test('the same seed finishes concurrent operations in the same order, another in another', async () => {
  const order = async (seed: number): Promise<string> => {
    const { fileSystem } = simulatedPorts(seed)
    const done: number[] = []
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => fileSystem.stat('/').then(() => done.push(index))),
    )
    return done.join()
  }
  expect(await order(5)).toBe(await order(5))
  expect(await order(5)).not.toBe(await order(6))
})

test('waiting for what never comes is an error, not a hang', async () => {
  const { machine } = simulatedPorts()
  await expect(machine.until(new Promise(() => {}))).rejects.toThrow('stuck')
})

test('virtual time passes when nothing else can happen', async () => {
  const { machine, clock } = simulatedPorts()
  const fired: string[] = []
  clock.schedule(20, () => fired.push('late'))
  clock.schedule(10, () => fired.push('early'))
  clock.schedule(15, () => fired.push('cancelled')).cancel()
  await machine.until(new Promise<void>((resolve) => void clock.schedule(30, resolve)))
  expect(fired).toEqual(['early', 'late'])
  expect(clock.monotonicMs()).toBe(30)
})
