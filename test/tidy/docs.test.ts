import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { knownSeeds } from '../simulation/known-seeds.ts'
import { packages, root, sourceFiles } from './sources.ts'

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

/** Every page of the project, as a path from its root. */
const pages = [
  ...namesIn('.', false),
  ...namesIn('docs', true),
  ...packages.flatMap((folder) => namesIn(folder, false)),
].filter((path) => path.endsWith('.md'))

function namesIn(folder: string, recursive: boolean): string[] {
  const names = readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
  return names.map((name) => join(folder, name))
}

test('every file and folder that the pages name is there', () => {
  const paths = sourceFiles().map(({ path }) => path)
  const isThere = (path: string) => existsSync(join(root, path))
  expect(pages).toContain('docs/known-bugs.md')
  for (const page of pages) {
    const text = readFileSync(join(root, page), 'utf8')
    const missing = [
      ...found(text, pathOfOurs).filter((path) => !isThere(path)),
      ...found(text, linked).filter((path) => !isThere(join(dirname(page), path))),
      // Of several in one folder only the first is named whole.
      ...found(text, testFile).filter((name) => !paths.some((path) => path.endsWith(`/${name}`))),
      ...found(text, testsToRun)
        .flatMap((words) => words.split(' '))
        .filter((word) => !paths.some((path) => path.startsWith(word))),
    ]
    expect(missing, page).toEqual([])
  }
})

const pathOfOurs = /`((?:core|processors|connectors|cli|examples|test|bench|docs)\/[\w/.-]+)`/g
const linked = /\]\(((?!http)[^)#]+)/g
const testFile = /`([\w-]+\.test\.ts)`/g
const testsToRun = /vitest run ([\w/. -]+\w)/g

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '')
}

test('every seed that docs/known-bugs.md names is lived again in each run', () => {
  const text = readFileSync(join(root, 'docs/known-bugs.md'), 'utf8')
  const named = found(text, /\bseeds? ((?:\d+(?:, )?)+)/g).flatMap(
    (seeds) => seeds.match(/\d+/g) ?? [],
  )
  const known = new Set(knownSeeds.map(({ seed }) => `${seed}`))
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((seed) => !known.has(seed))).toEqual([])
})
