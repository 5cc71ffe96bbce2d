import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CommandOptions, millrace } from './run-command.ts'

let cwd = ''
beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-csv-'))
  await here(['topic', 'create', 'flights'])
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const here = (words: string[], options: CommandOptions = {}) => millrace(words, { cwd, ...options })
const produce = (stdin: string, ...words: string[]) =>
  here(['produce', 'flights', '-i', 'csv', ...words], { stdin })
const consume = async (...words: string[]) =>
  here(['consume', 'flights', '--from-beginning', '--exit', ...words])

const table = 'origin,delay,note\nOSL,12,"a ""b"",\nc"\nLIM,,\nOSL,007,""\n'

test('CSV goes in and comes out the same', async () => {
  expect(await produce(table, '--key', 'origin')).toMatchObject({ code: 0 })
  expect(await consume('-o', 'csv')).toMatchObject({ code: 0, stdout: table, stderr: '' })
})

test('columns become properties, text unless their type is given; those of the key make it', async () => {
  await produce('origin\tdelay\nOSL\t12\nLIM\t\n', '--key', 'origin', '--type', 'delay=int')
  const { stdout } = await consume('-o', 'json')
  const records = stdout.trim().split('\n')
  expect(records.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { key: { origin: 'OSL' }, value: { origin: 'OSL', delay: 12 } },
    { key: { origin: 'LIM' }, value: { origin: 'LIM', delay: null } },
  ])
})

test('of bad CSV the line is named, and the records before it are in', async () => {
  const { code, stderr } = await produce('a,b\n1,2\n3,4\n5,6,7\n8,9\n')
  expect(code).toBe(1)
  expect(stderr).toContain('standard input, line 4 (byte 12): 3 fields where there should be 2')
  expect(stderr).toContain('Records 1 to 2 were appended, and nothing after: go on with record 3.')
  expect((await consume('-o', 'value')).stdout.trim().split('\n')).toHaveLength(2)
})

test('what makes no sense is refused in words, and nothing is appended', async () => {
  const mistakes = [
    [['--key', 'orign'], '--key orign: the header has no such column. Did you mean "origin"?'],
    [['--type', 'delay=date'], 'in JSON that is text'],
    [['--type', 'delay=number'], 'no such type'],
    [['--type', 'dely=int'], 'no column dely'],
    [['--delimiter', '||'], 'delimiter must be one ASCII character'],
    [['--delimiter', ''], 'delimiter must be one ASCII character'],
    [['-K', ':'], '--key COLUMNS'],
    [['-i', 'lines', '--key', 'origin'], '--key is for CSV'],
  ] as const
  for (const [words, message] of mistakes) {
    const { code, stderr } = await produce(table, ...words)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining(message) as string,
    })
  }
  expect((await consume('-o', 'value')).stdout).toBe('')
})

test('a column that no record has is said so, with the one that was meant', async () => {
  await produce(table)
  const { code, stdout, stderr } = await consume('-o', 'csv', '--columns', 'origin, dellay')
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'origin,dellay\nOSL,\nLIM,\nOSL,\n' })
  expect(stderr).toBe('The first records have no column "dellay". Did you mean "delay"?\n')
  expect(await consume('-o', 'json', '--columns', 'origin')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--columns is for tables') as string,
  })
})
