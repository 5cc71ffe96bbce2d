import { describe, expect, test } from 'vitest'
import { sourceFiles, type SourceFile } from './sources.ts'

const files = sourceFiles()
const isTest = (file: SourceFile) => /\.test\.ts$|\.test-d\.ts$|(^|\/)testing\//.test(file.path)
const product = files.filter((file) => !isTest(file))

/** Offences as readable lines, so that a failure says which file must change. */
function offences(
  among: readonly SourceFile[],
  isForbidden: (imported: string, file: SourceFile) => boolean,
): string[] {
  return among.flatMap((file) =>
    file.imports
      .filter((imported) => isForbidden(imported, file))
      .map((imported) => `${file.path} imports ${imported}`),
  )
}

const under = (folder: string) => product.filter((file) => file.path.startsWith(folder))

describe('who may import whom', () => {
  const mayImport: Record<string, RegExp> = {
    'core/src/':
      /^(core\/src\/|node:|@node-rs\/crc32$|@platformatic\/wasm-utils$|@standard-schema\/spec$|fs-native-extensions$)/,
    'processors/src/':
      /^(processors\/src\/|@millrace\/core(\/(internal|io|options))?$|rxjs$|node:)/,
    'connectors/src/':
      /^(connectors\/src\/|@millrace\/(core(\/(internal|io|options))?|processors)$|node:|pg$|hyparquet(\/src\/\w+\.js)?$|hyparquet-(compressors|writer)$|papaparse$|csv-parse(\/sync)?$|p-retry$)/,
    'cli/src/':
      /^(cli\/src\/|@millrace\/(core(\/(io|options))?|processors|connectors(\/formats)?)$|node:|commander$|cli-progress$)/,
    'examples/':
      /^(examples\/|millrace$|@millrace\/(connectors|processors)\/testing$|node:|zod$|pg$)/,
  }
  for (const [folder, allowed] of Object.entries(mayImport)) {
    test(`${folder} imports only what its row of ARCHITECTURE.md allows`, () => {
      expect(under(folder).length).toBeGreaterThan(0)
      expect(offences(under(folder), (imported) => !allowed.test(imported))).toEqual([])
    })
  }

  test('only core/src/io/node-* touches the disk, sockets, timers and randomness', () => {
    const effects =
      /^(node:)?(fs|net|http|https|dgram|tls|crypto|timers|child_process|os|worker_threads)(\/|$)|^fs-native/
    const inside = under('core/src/').filter((file) => !/core\/src\/io\/node-/.test(file.path))
    expect(offences(inside, (imported) => effects.test(imported))).toEqual([])
  })

  test('batches, serdes, assignors and group membership are pure: they import nothing with effects', () => {
    const pure = product.filter(({ path }) =>
      /^core\/src\/((batch|serdes|groups)\/|consumer\/assignor\.ts$)/.test(path),
    )
    for (const place of ['batch/', 'serdes/', 'groups/', 'consumer/assignor.ts']) {
      expect(
        pure.some(({ path }) => path.startsWith(`core/src/${place}`)),
        place,
      ).toBe(true)
    }
    expect(
      offences(pure, (imported) =>
        /core\/src\/(storage|embedded|transactions|io\/node-)/.test(imported),
      ),
    ).toEqual([])
  })

  test('producer and consumer know the Log interface, never the storage behind it', () => {
    const clients = product.filter((file) => /^core\/src\/(producer|consumer)\//.test(file.path))
    expect(clients.length).toBeGreaterThan(0)
    expect(
      offences(clients, (imported) =>
        /core\/src\/(storage|embedded|transactions)\//.test(imported),
      ),
    ).toEqual([])
  })

  test('rxjs is known to the operators alone', () => {
    const outside = product.filter((file) => !file.path.startsWith('processors/src/operators/'))
    expect(offences(outside, (imported) => imported.startsWith('rxjs'))).toEqual([])
  })

  test('testing code is imported by tests alone', () => {
    const shipped = product.filter((file) => !/^(test|bench|examples)\//.test(file.path))
    expect(offences(shipped, (imported) => /\/testing(\/|$)/.test(imported))).toEqual([])
  })
})

test('what only tests import is shipped in no package', () => {
  // Also started by name, as threads are; or named in a package.json.
  const started = /\/(index|main|internal|formats|.*-thread)\.ts$/
  const isShipped = (path: string) =>
    /^(core|processors|connectors|cli)\/src\//.test(path) && !/(-fixture|\.d)\.ts$/.test(path)
  const shipped = product.filter(({ path }) => isShipped(path))
  const imported = new Set(shipped.flatMap((file) => file.imports))
  const unused = shipped.map(({ path }) => path).filter((path) => !imported.has(path))
  expect(unused.filter((path) => !started.test(path))).toEqual([])
})

test('no file is named for what it is not', () => {
  const vague = /(^|\/)(utils?|common|helpers?|misc|manager|impl|data|types)(\.ts|\/)/
  expect(files.map((file) => file.path).filter((path) => vague.test(path))).toEqual([])
})
