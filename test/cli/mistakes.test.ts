import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CommandOptions, launcher, millrace, runCommand } from './run-command.ts'

let cwd = ''
beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-mistakes-'))
  mkdirSync(join(cwd, 'scripts'))
  writeFileSync(join(cwd, 'people.csv'), 'name\nAda\n')
  await here(['topic', 'create', 'people'])
  await here(['produce', 'people'], { stdin: 'Ada\n' })
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

const here = (words: string[], options: CommandOptions = {}) => millrace(words, { cwd, ...options })

test.each([
  ['help nope', "unknown command 'nope'"],
  ['nope --help', "unknown command 'nope'"],
  ['help produse', '(Did you mean produce?)'],
  ['run scripts', 'scripts is a directory. Name the script in it.'],
  ['run people.csv', 'people.csv is no script: those end in .ts, .mts, .js or .mjs.'],
  ['topic create x -c foo=1', 'There is no setting "foo". There are: durability, cleanup'],
  ['topic delete x --yes', 'There is no topic "x". There are: people.'],
  ['produce x', 'There are: people. Make it: millrace topic create x'],
  ['consume poeple', 'Did you mean "people"?'],
  ['consume people -n 0', 'It must be a whole number of at least 1.'],
  ['consume people --partition -1', 'It must be a whole number of at least 0.'],
  ['consume people --columns a,,b -o csv', 'It must be names, separated by commas.'],
  ['group describe x', 'There is no group "x". There are none yet.'],
])('millrace %s: refused, with what to do', async (words, message) => {
  const { code, stdout, stderr } = await here(words.split(' '))
  expect({ code, stdout, stderr }).toEqual({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining(message) as string,
  })
})

test('words that are empty are no names', async () => {
  for (const words of [
    ['consume', 'people', '-e', '-g', ''],
    ['produce', 'people', '-K', ''],
  ]) {
    expect(await here(words)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('It is empty.') as string,
    })
  }
})

test('whoever asks for what is new, and to stop at the end, is told why nothing comes', async () => {
  const { code, stdout, stderr } = await here(['consume', 'people', '--exit'])
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toContain('--from-beginning prints what is in people')
  const all = await here(['consume', 'people', '--from-beginning', '--exit'])
  expect(all).toMatchObject({ code: 0, stderr: '' })
})

test('Ctrl-C ends produce with what was typed; half a line is none', async () => {
  await here(['topic', 'create', 'typed'])
  const log = join(cwd, 'millrace-data/typed-0', `${'0'.repeat(20)}.log`)
  const bytes = () => statSync(log, { throwIfNoEntry: false })?.size ?? 0
  const before = bytes()
  const ended = await here(['produce', 'typed'], {
    stdin: 'one\ntwo\nhal',
    keepStdinOpen: true,
    onStart(kill) {
      const watch = setInterval(() => {
        if (bytes() === before) return
        clearInterval(watch)
        kill('SIGINT')
      }, 5)
    },
  })
  expect(ended).toMatchObject({ code: 130, stderr: 'Appended 2 records to typed.\n' })
  const typed = await here(['consume', 'typed', '--from-beginning', '--exit', '-o', 'value'])
  expect(typed.stdout).toBe('one\ntwo\n')
})

test('the work goes on when nobody listens to the talk', async () => {
  const talk = `"$0" "$1" topic create quiet 2> >(exec 0<&-); "$0" "$1" 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`
  const { stdout } = await runCommand('bash', ['-c', talk, process.execPath, launcher], { cwd })
  expect(stdout).toBe('Usage: millrace [options] [command]\n2\n')
  expect((await here(['topic', 'list'])).stdout).toContain('"quiet"')
})
