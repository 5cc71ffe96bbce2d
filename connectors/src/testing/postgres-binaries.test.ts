import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished, test, expect } from 'vitest'
import { copyBinaries, findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts'

async function scratch(): Promise<string> {
  const directory = await fs.mkdtemp(path.join(tmpdir(), 'millrace-binaries-'))
  onTestFinished(() => fs.rm(directory, { recursive: true }))
  return directory
}

/** Where the libraries' short names lead, one for each. */
async function linksOf({ root }: PostgresBinaries): Promise<string[]> {
  const entries = await fs.readdir(path.join(root, 'lib'), { withFileTypes: true })
  const links = entries.filter((entry) => entry.isSymbolicLink())
  return Promise.all(links.map(({ parentPath, name }) => fs.readlink(path.join(parentPath, name))))
}

test('a copy of the binaries does without the installation that it was made from', async () => {
  const binaries = await findPostgresBinaries()
  const links = await linksOf(await copyBinaries(binaries, await scratch()))
  expect(links).toEqual(await linksOf(binaries))
  expect(links.length).toBeGreaterThan(0)
  expect(links.filter((link) => link.includes('/'))).toEqual([])
})

test('a copy whose libraries lead into an installation that is gone is mended', async () => {
  const binaries = await findPostgresBinaries()
  const directory = await scratch()
  const copy = await copyBinaries(binaries, directory)
  const library = path.join(copy.root, 'lib', 'libpq.so.5')
  await fs.rm(library)
  await fs.symlink('/gone/libpq.so.5.18', library)
  await copyBinaries(binaries, directory)
  expect(await linksOf(copy)).toEqual(await linksOf(binaries))
})
