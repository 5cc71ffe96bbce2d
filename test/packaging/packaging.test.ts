import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Finished, runCommand } from '../cli/run-command.ts'
import { copyWorkspace, publishedFolders } from './workspace-copy.ts'

const root = resolve(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'millrace-packaging-'))
const installed = join(scratch, 'installed')

beforeAll(() => {
  copyWorkspace(root, join(scratch, 'workspace'))
  execFileSync('npm', ['pack', ...workspaceFlags(), '--pack-destination', scratch], {
    cwd: join(scratch, 'workspace'),
    stdio: 'pipe',
  })
  install()
}, 180_000)

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('packing leaves the sources as they were', () => {
  for (const folder of publishedFolders) {
    const before = readFileSync(join(root, folder, 'package.json'), 'utf8')
    expect(readFileSync(join(scratch, 'workspace', folder, 'package.json'), 'utf8')).toBe(before)
    expect(readdirSync(join(scratch, 'workspace', folder))).not.toContain('dist')
  }
})

describe.each(['millrace', '@millrace/core', '@millrace/processors', '@millrace/connectors'])(
  '%s',
  (name) => {
    const folder = join(installed, 'node_modules', name)
    const files = () => readdirSync(folder, { recursive: true, encoding: 'utf8' })

    test('holds JavaScript and declarations, no sources and no tests', () => {
      expect(files()).toEqual(
        expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'LICENSE']),
      )
      expect(files().filter((file) => /(?<!\.d)\.ts$|\.test\.|fixture/.test(file))).toEqual([])
    })

    test('imports nothing but its dependencies', () => {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
      const known = [name, ...Object.keys(manifest.dependencies)]
      const imported = files()
        .filter((file) => file.endsWith('.js'))
        .flatMap((file) => packagesIn(readFileSync(join(folder, file), 'utf8')))
      expect(imported.length).toBeGreaterThan(0)
      expect(imported.filter((each) => !known.includes(each))).toEqual([])
    })
  },
)

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}

/** The packages that a file of JavaScript imports. */
function packagesIn(source: string): string[] {
  const specifiers = source.matchAll(/(?:^import\s|\bfrom\s|\bimport\()\s*'([^'.\n][^'\n]*)'/gm)
  const names = [...specifiers].map((match) => match[1] ?? '')
  return names
    .filter((each) => !each.startsWith('node:'))
    .map((each) => each.split('/', each.startsWith('@') ? 2 : 1).join('/'))
}

test('npx millrace works where it was installed', async () => {
  const { code, stdout } = await runCommand('npx', ['millrace', '--help'], { cwd: installed })
  expect(code).toBe(0)
  expect(stdout).toContain('millrace [options] [command]')
})

test.each(['pipeline.ts', 'pipeline.js', 'pipeline.ts --threads 2'])(
  'npx node %s runs a pipeline',
  async (line) => {
    const env = { MILLRACE_LOG: `./log of ${line}` }
    const run = await runCommand('npx', ['node', ...line.split(' ')], { cwd: installed, env })
    expect(run).toMatchObject({ code: 0, stdout: '' })
    expect(run.stderr).toContain('adults done in')
    const words = ['millrace', 'consume', 'adults', '--from-beginning', '--exit', '-o', 'value']
    const { stdout } = await runCommand('npx', words, { cwd: installed, env })
    expect(stdout).toBe('{"name":"Ada","age":36}\n{"name":"Cleo","age":41}\n')
  },
)

test('the types resolve, down to the columns of a row', async () => {
  const right = await compile('pipeline.ts')
  expect(right).toMatchObject({ code: 0, stdout: '' })
  writeFileSync(join(installed, 'wrong.ts'), pipeline.replace('p.age', 'p.aeg'))
  const wrong = await compile('wrong.ts')
  expect(wrong.code).not.toBe(0)
  expect(wrong.stdout).toContain("Property 'aeg' does not exist on type 'Person'")
})

const pipeline = `import { csv, filter, json, pipeline, topic } from 'millrace'

interface Person { name: string; age: number }
const people = topic('people', { value: json<Person>(), key: 'name' })
const adults = topic('adults', { value: json<Person>() })

export default pipeline('adults', ({ from }) => {
  from(csv<Person>('people.csv')).to(people)
  from(people).pipe(filter((p) => p.age >= 18)).to(adults)
})
`

/** The same script as JavaScript. */
const plainPipeline = pipeline.replace(/interface .*\n/, '').replaceAll('<Person>', '')

function install(): void {
  mkdirSync(installed)
  writeFileSync(join(installed, 'package.json'), '{ "private": true, "type": "module" }')
  writeFileSync(join(installed, 'pipeline.ts'), pipeline)
  writeFileSync(join(installed, 'pipeline.js'), plainPipeline)
  writeFileSync(join(installed, 'people.csv'), 'name,age\nAda,36\nBob,12\nCleo,41\n')
  const tarballs = readdirSync(scratch).filter((file) => file.endsWith('.tgz'))
  const words = tarballs.map((file) => join(scratch, file))
  execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...words], {
    cwd: installed,
    stdio: 'pipe',
  })
}

/** Without skipLibCheck: our declarations are checked too. */
function compile(file: string): Promise<Finished> {
  const flags = '--noEmit --strict --module nodenext --target es2024 --types node'.split(' ')
  const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')]
  const compiler = join(root, 'node_modules/.bin/tsc')
  return runCommand(compiler, [...flags, ...typeRoots, file], { cwd: installed })
}

function workspaceFlags(): string[] {
  return publishedFolders.flatMap((folder) => ['-w', folder])
}
