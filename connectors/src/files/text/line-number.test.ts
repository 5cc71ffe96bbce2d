import { open } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { temporaryFile } from '../testing/file-fixture.ts'
import { LineCounter } from './line-number.ts'

const text = Array.from({ length: 1000 }, (_, line) => `${line + 1}\n`).join('')
const all = Buffer.from(text)
const block = (byte: number, until: number) => ({ bytes: all.subarray(byte, until), byte })

test('places in blocks have their lines, in whatever order they are asked for', async () => {
  const path = await temporaryFile(text)
  const counter = new LineCounter(path)
  for (const [from, until] of [
    [2000, 3000],
    [0, 500],
    [1000, 2000],
  ] as const) {
    const placeOf = counter.inBlock(block(from, until))
    for (const at of [300, 400, 10, 0, 450]) {
      const line = text.slice(0, from + at).split('\n').length
      expect(await placeOf(at)).toEqual({ path, byte: from + at, line })
    }
  }
})

test('a stretch of a file is not read again for each refused record behind it', async () => {
  const path = await temporaryFile(text)
  const counter = new LineCounter(path)
  await counter.inBlock(block(1000, 2000))(0)
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(1000, 'x'), 0, 1000, 0)
  await file.close()
  const line = text.slice(0, 2500).split('\n').length
  expect((await counter.inBlock(block(2000, 3000))(500)).line).toBe(line)
  expect((await counter.inBlock(block(1000, 2000))(0)).line).toBe(
    text.slice(0, 1000).split('\n').length,
  )
})
