import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type CommandOptions,
  type Finished,
  type Kill,
  launcher,
  millrace,
  node,
  noOlderNode,
  olderNode,
  runCommand,
} from './run-command.ts'

// Scripts find `millrace` from here, as they do in any project that has it installed.
const project = join(import.meta.dirname, '../../examples')

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(project, '.scripts-'))
  writeFileSync(join(cwd, 'people.csv'), 'name,age\nAda,36\nBob,12\nCleo,41\n')
  writeFileSync(join(cwd, 'adults.ts'), adults)
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const adults = `
import { csv, filter, json, pipeline, topic } from 'millrace'

interface Person { name: string; age: number }
const people = topic('people', { value: json<Person>(), key: 'name' })

export default pipeline('adults', ({ from }) => {
  from(csv<Person>('people.csv')).to(people)
  from(people).pipe(filter((person) => person.age >= 18)).to(topic('adults', { value: json<Person>() }))
})
`

type Run = (script: string, words?: string[], options?: CommandOptions) => Promise<Finished>

const ways: [string, Run][] = [
  [
    'millrace run',
    (script, words = [], options = {}) => millrace(['run', script, ...words], { cwd, ...options }),
  ],
  ['node', (script, words = [], options = {}) => node([script, ...words], { cwd, ...options })],
]

async function valuesOf(topic: string): Promise<unknown[]> {
  const { stdout } = await millrace(['consume', topic, '--from-beginning', '--exit'], { cwd })
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { value: unknown }).value)
}

describe.each(ways)('%s', (_, run) => {
  test('a pipeline runs once to the end of its input; a second run does nothing twice', async () => {
    const first = await run('adults.ts')
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(first.stderr).toMatch(/3 rows .*ended/)
    expect(first.stderr).toContain('adults done in')
    expect(await run('adults.ts')).toMatchObject({ code: 0 })
    expect(await valuesOf('adults')).toEqual([
      { name: 'Ada', age: 36 },
      { name: 'Cleo', age: 41 },
    ])
  })

  test('Ctrl-C drains: the run ends with 130 and the next goes on from there', async () => {
    const interrupted = await run('adults.ts', ['--follow'], {
      onceSaid: { text: /waiting/, act: (kill) => kill('SIGINT') },
    })
    expect(interrupted.code).toBe(130)
    expect(interrupted.stderr).toContain('the next run goes on from there')
    expect(await run('adults.ts')).toMatchObject({ code: 0 })
    expect(await valuesOf('adults')).toHaveLength(2)
  })

  test('Ctrl-C twice ends a run that cannot drain', async () => {
    const stuck = adults
      .replace(
        'filter((person) => person.age >= 18)',
        'mapAsync(() => new Promise<Person>(() => {}))',
      )
      .replace('filter,', 'mapAsync,')
    writeFileSync(join(cwd, 'stuck.ts'), stuck)
    let again: NodeJS.Timeout | undefined
    const twice = (kill: Kill) => {
      kill('SIGINT')
      // On a slow machine two that come before the first is heard are one.
      again = setInterval(() => kill('SIGINT'), 500)
    }
    const { code, stderr } = await run('stuck.ts', [], { onceSaid: { text: /ended/, act: twice } })
    clearInterval(again)
    expect(code).toBe(130)
    expect(stderr).not.toContain('goes on from there')
  })

  test('SIGTERM drains too, with 143', async () => {
    const { code, stderr } = await run('adults.ts', ['--follow'], {
      onceSaid: { text: /waiting/, act: (kill) => kill('SIGTERM') },
    })
    expect(code).toBe(143)
    expect(stderr).toContain('the next run goes on from there')
  })

  test('a mistyped option ends with 2 and offers the right one', async () => {
    const { code, stderr } = await run('adults.ts', ['--folow'])
    expect(code).toBe(2)
    expect(stderr).toContain('Did you mean --follow?')
  })

  test('a failing callback ends with 1', async () => {
    writeFileSync(
      join(cwd, 'failing.ts'),
      adults.replace('person.age >= 18', 'person.nmae.length > 0'),
    )
    const { code, stderr } = await run('failing.ts')
    expect(code).toBe(1)
    expect(stderr).toContain('[CALLBACK_FAILED]')
    expect(stderr).toContain('failing.ts:9:')
  })

  test('records that went to the dead letters end with 3, and are told', async () => {
    const failing = adults.replace('person.age >= 18', "person.name !== 'Bob' || fail()")
    writeFileSync(
      join(cwd, 'failing.ts'),
      `${failing}\nfunction fail(): never { throw new Error('no Bobs') }`,
    )
    const { code, stderr } = await run('failing.ts', ['--on-error', 'dead-letter'])
    expect(code).toBe(3)
    expect(stderr).toContain('1 record went to the topic adults-dead-letters')
    expect(await valuesOf('adults')).toHaveLength(2)
    expect(await valuesOf('adults-dead-letters')).toEqual([{ name: 'Bob', age: 12 }])
  })

  test('a log that somebody else runs on ends with 4', async () => {
    let result: Finished | undefined
    const second = async (kill: Kill) => {
      result = await run('adults.ts')
      kill('SIGINT')
    }
    const onceSaid = { text: /waiting/, act: (kill: Kill) => void second(kill) }
    await run('adults.ts', ['--follow'], { onceSaid })
    expect(result?.code).toBe(4)
    expect(result?.stderr).toContain('[DATA_DIRECTORY_IN_USE]')
  })

  test('a file that is not there ends in failure', async () => {
    const { code, stderr } = await run('adlts.ts')
    expect(code).not.toBe(0)
    expect(stderr).toContain('adlts.ts')
  })
})

test.skipIf(olderNode === undefined)(
  `under an old Node too Ctrl-C drains, with 130${noOlderNode}`,
  async () => {
    const words = [launcher, 'run', 'adults.ts', '--follow']
    const onceSaid = { text: /waiting/, act: (kill: Kill) => kill('SIGINT') }
    const { code, stderr } = await runCommand(olderNode ?? '', words, { cwd, onceSaid })
    expect(stderr).toContain('the next run goes on from there')
    expect(code).toBe(130)
  },
)

test('a script without a pipeline is refused by millrace run, and just runs in node', async () => {
  writeFileSync(join(cwd, 'plain.ts'), "import 'millrace'\nconsole.log('evaluated')\n")
  const refused = await millrace(['run', 'plain.ts'], { cwd })
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('export default pipeline')
  expect(await node(['plain.ts'], { cwd })).toEqual({ code: 0, stdout: 'evaluated\n', stderr: '' })
})

test('a script is evaluated once, also with a top-level await', async () => {
  const slow = `${adults}\nawait new Promise((resolve) => setTimeout(resolve, 50))\nconsole.log('evaluated')\n`
  writeFileSync(join(cwd, 'slow.ts'), slow)
  for (const [, run] of ways) expect((await run('slow.ts')).stdout).toBe('evaluated\n')
})

test('a pipeline that another script imports does not start', async () => {
  writeFileSync(
    join(cwd, 'importing.ts'),
    "import adults from './adults.ts'\nconsole.log(adults.name)\n",
  )
  const imported = await node(['importing.ts'], { cwd })
  expect(imported).toEqual({ code: 0, stdout: 'adults\n', stderr: '' })
})

test('what a script throws at import is shown with its stack', async () => {
  writeFileSync(join(cwd, 'broken.ts'), "throw new TypeError('my own mistake')\n")
  const { code, stderr } = await millrace(['run', 'broken.ts'], { cwd })
  expect(code).toBe(1)
  expect(stderr).toContain('my own mistake')
  expect(stderr).toContain('broken.ts:1')
})

test('the last records are found behind the markers of transactions', async () => {
  await millrace(['run', 'adults.ts'], { cwd })
  const last = (n: number) =>
    millrace(['consume', 'people', '--offset', `-${n}`, '-e', '-o', 'value'], { cwd })
  expect((await last(1)).stdout).toBe('{"name":"Cleo","age":41}\n')
  expect((await last(9)).stdout.split('\n')).toHaveLength(4)
})

test('MILLRACE_DEBUG adds the stack to an error, which is without one else', async () => {
  const words = ['run', 'adlts.ts']
  expect((await millrace(words, { cwd })).stderr).not.toContain('    at ')
  const debugged = await millrace(words, { cwd, env: { MILLRACE_DEBUG: '1' } })
  expect(debugged.stderr).toContain('    at ')
})

test('a topology is printed without running anything', async () => {
  for (const format of ['text', 'mermaid', 'json']) {
    const { code, stdout } = await millrace(['topology', 'adults.ts', '-o', format], { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain('people.csv')
    if (format === 'json') expect(JSON.parse(stdout)).toMatchObject({ pipeline: 'adults' })
  }
  expect((await millrace(['topic', 'list'], { cwd })).code).toBe(2)
})
