import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from './node-file-system.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-disk-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('writes with and without a sync to follow land in one file, in any order, whatever its name', async () => {
  const path = join(directory, 'f')
  const file = await nodeFileSystem.open(path, 'create')
  await file.sync()
  let expected = ''
  for (let n = 0; n < 40; n++) {
    const text = `${n} `
    const hint = n % 3 === 0 ? undefined : 'beforeSync'
    expect(await file.write(Buffer.from(text), expected.length, hint)).toBe(text.length)
    expected += text
    if (n % 4 !== 0) await file.sync()
    if (n === 20) await rename(path, `${path}-renamed`)
  }
  await file.truncate(50)
  await file.sync()
  expect(await file.size()).toBe(50)
  await file.close()
  expect(await readFile(`${path}-renamed`, 'latin1')).toBe(expected.slice(0, 50))
})

test('a name that is not there is undefined to stat and ENOENT to open and list', async () => {
  const path = join(directory, 'none')
  expect(await nodeFileSystem.stat(path)).toBeUndefined()
  await expect(nodeFileSystem.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(nodeFileSystem.list(path)).rejects.toMatchObject({ code: 'ENOENT' })
})
