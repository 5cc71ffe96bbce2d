import { expect, test } from 'vitest'
import { join } from 'node:path'
import { node } from '../cli/run-command.ts'
import { root } from './sources.ts'

const scripts = {
  sim: ['test/simulation/run.ts', '--seeds', 'abc'],
  faults: ['test/faults/run.ts', '--workload', 'typo'],
  soak: ['test/soak/run.ts', '--minutes', 'abc'],
  bench: ['bench/run.ts', 'typo'],
} as const

test.each(Object.entries(scripts))(
  'npm run %s shows its --help, and takes no word that it does not know for one that does nothing',
  async (name, [script, ...mistaken]) => {
    const run = (...words: string[]) => node([join(root, script), ...words])
    expect(await run('--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`npm run ${name} `) as string,
    })
    for (const words of [mistaken, ['--nonsense']]) {
      expect(await run(...words)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(new RegExp(`^✗ .*\\n\\nnpm run ${name} `, 's')) as string,
      })
    }
  },
)
