import { afterAll, beforeAll, expect, test } from 'vitest'
import { node } from '../cli/run-command.ts'
import { Workplace } from './workplace.ts'

let place: Workplace
beforeAll(() => {
  place = new Workplace()
})
afterAll(() => place.remove())

const scripts: [what: string, text: string, code: number, words: RegExp[]][] = [
  [
    'without a default export',
    'export const x = 1\n',
    2,
    [/bad\.ts has no pipeline/, /Write `export default/],
  ],
  ['with another default export', 'export default { name: "x" }\n', 2, [/bad\.ts has no pipeline/]],
  ['that throws', '\nthrow new Error("out of paper")\n', 1, [/out of paper/, /bad\.ts:2:/]],
  ['with a syntax error', 'const a =\nexport default a\n', 1, [/bad\.ts:2/, /SyntaxError/]],
  [
    'with an import that is not there',
    'import { cvs } from "millrace"\nexport default cvs\n',
    1,
    [/'cvs'/, /bad\.ts:1/],
  ],
  [
    'with a module that is not there',
    'import x from "nowhere"\nexport default x\n',
    1,
    [/'nowhere'/, /bad\.ts/],
  ],
  [
    'whose pipeline cannot have that name',
    'import { pipeline } from "millrace"\nexport default pipeline("a b", () => {})\n',
    2,
    [/"a b" can't name a pipeline: use/],
  ],
]

test.each(scripts)(
  'a script %s is told so, by run and by topology',
  async (_, text, code, words) => {
    place.write('bad.ts', text)
    for (const command of ['run', 'topology']) {
      const ended = await place.millrace([command, 'bad.ts'])
      for (const word of words) expect(ended.stderr).toMatch(word)
      expect(ended.stderr).not.toContain('node:internal')
      expect(ended).toMatchObject({ code, stdout: '' })
    }
  },
)

test.each([
  ['that throws', 'throw new Error("out of paper")\n'],
  ['with a syntax error', 'const a =\nexport default a\n'],
])('node ends a script %s with 1 and its place', async (_, text) => {
  place.write('bad.ts', text)
  const { code, stderr } = await node(['bad.ts'], { cwd: place.directory })
  expect(code).toBe(1)
  expect(stderr).toContain('bad.ts:')
})
