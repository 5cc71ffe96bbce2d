import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './sources.ts'

// By the text alone: formatting is checked, so a declaration always looks the same.
const faces = [
  'core/src/index.ts',
  'core/src/io/index.ts',
  'core/src/options/index.ts',
  'core/src/testing/index.ts',
  'processors/src/index.ts',
  'processors/src/testing/index.ts',
  'connectors/src/index.ts',
  'connectors/src/testing/index.ts',
]

test.each(faces)('every name that %s exports says what it is', (face) => {
  const names = namesOf(join(root, face))
  expect(names.size).toBeGreaterThan(2)
  const silent = [...names].filter(([, place]) => !place.isDocumented)
  expect(silent.map(([name, { file }]) => `${name}, ${relative(root, file)}`)).toEqual([])
})

/** Where a name is declared. */
interface Place {
  readonly file: string
  readonly isDocumented: boolean
}

const read = new Map<string, ReadonlyMap<string, Place>>()

/** The names that a file declares or passes on. */
function namesOf(file: string): ReadonlyMap<string, Place> {
  const known = read.get(file)
  if (known !== undefined) return known
  const text = readFileSync(file, 'utf8')
  const names = new Map(declarations(text, file))
  const from = (path: string): ReadonlyMap<string, Place> => namesOf(resolve(dirname(file), path))
  for (const [, path = ''] of text.matchAll(/^export (?:type )?\* from '(\..+)'/gm)) {
    for (const [name, place] of from(path)) names.set(name, place)
  }
  for (const [, list = '', path] of text.matchAll(
    /^export (?:type )?\{([^}]*)\}(?: from '(\..+)')?$/gm,
  )) {
    for (const [own, name] of listed(list)) {
      const source = path ?? importedFrom(text, own)
      // What comes from another package is documented there, or not.
      const place = source === undefined ? { file, isDocumented: true } : from(source).get(own)
      names.set(name, place ?? { file, isDocumented: false })
    }
  }
  read.set(file, names)
  return names
}

function* declarations(text: string, file: string): Generator<[string, Place]> {
  const declared =
    /^(\*\/\n)?export (?:abstract )?(?:async )?(?:const|function\*?|class|interface|type) (\w+)/gm
  const documented = new Set<string>()
  // Of a function's overloads one may speak for all.
  for (const [, doc, name = ''] of text
    .replaceAll(/^ ?(?:\/\*)?.*\*\/$/gm, '*/')
    .matchAll(declared)) {
    if (doc !== undefined) documented.add(name)
    yield [name, { file, isDocumented: documented.has(name) }]
  }
}

/** `a, type b as c` → a as a, b as c. */
function listed(list: string): [string, string][] {
  const words = list.split(',').map((word) => word.trim().replace(/^type /, ''))
  return words.filter(Boolean).map((word) => {
    const [own = '', name = own] = word.split(' as ')
    return [own, name]
  })
}

/** For `import { a } from './a.ts'` with `export { a }` after it. */
function importedFrom(text: string, name: string): string | undefined {
  const imports = text.matchAll(/^import (?:type )?\{([^}]*)\} from '(\..+)'/gm)
  for (const [, list = '', path = ''] of imports) {
    if (listed(list).some(([own]) => own === name)) return path
  }
  return undefined
}
