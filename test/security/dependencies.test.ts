import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../tidy/sources.ts'

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}
interface LockedPackage {
  readonly hasInstallScript?: boolean
  readonly link?: boolean
  readonly integrity?: string
}
interface Manifest {
  readonly allowScripts?: Readonly<Record<string, boolean>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly scripts?: Readonly<Record<string, string>>
}

const lock = read('package-lock.json') as Lock
const manifest = read('package.json') as Manifest
const workspaces = ['.', 'core', 'processors', 'connectors', 'cli', 'examples', 'test', 'bench']

function read(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

test('only the packages listed have an install script, and none of them needs it', () => {
  const scripted = Object.entries(lock.packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript === true)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
  const listed = Object.entries(manifest.allowScripts ?? {})
  expect(scripted.toSorted()).toEqual(listed.map(([name]) => name).toSorted())
  expect(listed.filter(([, allowed]) => allowed)).toEqual([])
})

test('every package comes with a checksum, and every direct dependency is pinned exactly', () => {
  const unchecked = Object.entries(lock.packages).filter(
    ([path, { link, integrity }]) =>
      path.includes('node_modules/') && link !== true && integrity === undefined,
  )
  expect(unchecked).toEqual([])
  const loose = workspaces.flatMap((workspace) => {
    const { dependencies, devDependencies, optionalDependencies } = read(
      join(workspace, 'package.json'),
    ) as Manifest
    return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    )
  })
  expect(loose).toEqual([])
})

const audit = await auditOf()

test.skipIf(typeof audit === 'string')(
  `npm knows of no vulnerability in what users install${typeof audit === 'string' ? ` (skipped: ${audit})` : ''}`,
  () => {
    expect(audit).toEqual({ info: 0, low: 0, moderate: 0, high: 0, critical: 0, total: 0 })
  },
)

/** The counts of `npm audit`, or why there are none here. */
async function auditOf(): Promise<Readonly<Record<string, number>> | string> {
  const asked = await promisify(execFile)('npm', ['audit', '--json', '--omit=dev'], { cwd: root })
    .then(({ stdout }) => stdout)
    .catch((error: { stdout?: string }) => error.stdout ?? '')
  try {
    const answer = JSON.parse(asked) as {
      metadata?: { vulnerabilities: Readonly<Record<string, number>> }
    }
    return answer.metadata?.vulnerabilities ?? 'the registry here answers no npm audit'
  } catch {
    return 'npm audit gave no answer here'
  }
}
