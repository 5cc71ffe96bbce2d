import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { millrace, runCommand } from './run-command.ts'

const launcher = fileURLToPath(new URL('../../cli/bin/millrace.mjs', import.meta.url))

test('help names every command, on standard output', async () => {
  const { code, stdout, stderr } = await millrace(['--help'])
  expect(code).toBe(0)
  expect(stderr).toBe('')
  for (const name of ['run', 'topology', 'load', 'topic', 'produce', 'consume', 'group', 'log']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
  }
})

test('help of a command is the same both ways', async () => {
  const [one, other] = await Promise.all([millrace(['help', 'run']), millrace(['run', '--help'])])
  expect(one.stdout).toContain('--follow')
  expect(other.stdout).toBe(one.stdout)
})

test.each([
  ['a command', ['tpoic'], 'Did you mean topic?'],
  ['a command in a group', ['topic', 'lisst'], 'Did you mean list?'],
  ['an option', ['run', 'x.ts', '--folow'], 'Did you mean --follow?'],
  ['a setting', ['topic', 'create', 'x', '-c', 'retentoinMs=1'], 'Did you mean "retentionMs"?'],
])('%s that is not there ends with 2 and offers the nearest', async (_, words, hint) => {
  const { code, stdout, stderr } = await millrace(words)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(hint)
})

const old = oldNode()

test.skipIf(old === undefined)('an old Node finds Node 24 by itself', async () => {
  const { code, stdout } = await runCommand(old ?? '', [launcher, '--version'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
})

/** The system's Node, where it is older than ours. */
function oldNode(): string | undefined {
  const path = '/usr/bin/node'
  if (!existsSync(path)) return undefined
  const major = Number(
    execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }),
  )
  return major < 24 ? path : undefined
}
