import { describe, expect, test } from 'vitest'
import { SimulatedMachine } from '../testing/index.ts'
import { decodeChecked, encodeChecked, readSmallFile, replaceFile } from './checkpoint.ts'
import { Disk } from './disk.ts'

describe('a checkpoint', () => {
  test('holds the old or the new content after a power loss at any moment', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const machine = new SimulatedMachine(seed)
      const ports = machine.boot()
      const disk = new Disk(ports.fileSystem, '/')
      await replaceFile(disk, '/c', Buffer.from('old'))
      let operations = 0
      const crashAt = 1 + (seed % 9)
      ports.fileSystem.onOperation = () => {
        if (++operations === crashAt) machine.losePower()
      }
      void replaceFile(disk, '/c', Buffer.from('new content'))
      for (let turn = 0; turn < 1000; turn++) await Promise.resolve()
      const { fileSystem } = machine.boot()
      seen.add(String(await readSmallFile(fileSystem, '/c')))
    }
    expect([...seen].toSorted()).toEqual(['new content', 'old'])
  })

  test('refuses every flipped bit, naming the file', () => {
    const bytes = encodeChecked({ a: 1, b: ['x'] })
    expect(decodeChecked(bytes, 'd/c')).toEqual({ a: 1, b: ['x'] })
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => decodeChecked(flipped, 'd/c')).toThrow(/d\/c is damaged/)
    }
  })
})
