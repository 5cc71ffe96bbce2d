import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { launcher, millrace, noOlderNode, olderNode, runCommand } from './run-command.ts'

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
  ['a command that objects have', ['constructor'], "unknown command 'constructor'"],
  ['a command in a group', ['topic', 'lisst'], 'Did you mean list?'],
  ['an option', ['run', 'x.ts', '--folow'], 'Did you mean --follow?'],
  ['a setting', ['topic', 'create', 'x', '-c', 'retentoinMs=1'], 'Did you mean "retentionMs"?'],
])('%s that is not there ends with 2 and offers the nearest', async (_, words, hint) => {
  const { code, stdout, stderr } = await millrace(words)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(hint)
})

test('whoever has chosen the size of the young generation keeps it', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-launcher-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'flags.mjs'), 'console.log(...process.execArgv); export default 0')
  const flagsOf = async (...options: string[]) => {
    const env = { NODE_OPTIONS: options.join(' ') }
    return (await millrace(['run', 'flags.mjs'], { cwd, env })).stdout.trim()
  }
  expect(await flagsOf()).toBe('--max-semi-space-size=8')
  expect(await flagsOf('--max-semi-space-size=16')).toBe('')
  expect(await flagsOf('--max_semi_space_size=16', '--no-warnings')).toBe('')
})

test.skipIf(olderNode === undefined)(
  `an old Node finds Node 24 by itself${noOlderNode}`,
  async () => {
    const { code, stdout } = await runCommand(olderNode ?? '', [launcher, '--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  },
)
