import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './sources.ts'

test('docs/errors.md explains every error code', () => {
  const codes = ['core', 'processors', 'connectors'].flatMap((folder) => {
    const source = readFileSync(join(root, folder, 'src/errors.ts'), 'utf8')
    const unions = source.matchAll(/^export type \w+Code =\n((?:\s+\|.*\n|\s*\/\*\*.*\n)+)/gm)
    const inFolder = [...unions].flatMap(([union]) => union.match(/(?<=')[A-Z_]+(?=')/g) ?? [])
    expect(inFolder.length, `codes of ${folder}`).toBeGreaterThan(2)
    return inFolder
  })
  const docs = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  expect(codes.filter((code) => !docs.includes(`\`${code}\``))).toEqual([])
})

test('every file and folder that the pages name is there', () => {
  for (const page of ['README.md', 'ARCHITECTURE.md', 'BENCHMARKS.md']) {
    const text = readFileSync(join(root, page), 'utf8')
    const named = [
      ...text.matchAll(/`((?:core|processors|connectors|cli|examples|test|bench)\/[\w/.-]+)`/g),
      ...text.matchAll(/\]\(((?!http)[^)#]+)/g),
    ].map((match) => match[1] ?? '')
    expect(
      named.filter((path) => !existsSync(join(root, path))),
      page,
    ).toEqual([])
  }
})
