import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { startPostgres } from '@millrace/connectors/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../tidy/sources.ts'
import { agrees, blocks, commands } from './markdown.ts'

// Inside the workspace, so that `import … from 'millrace'` resolves as it does for a user.
mkdirSync(join(root, '.cache'), { recursive: true })
const directory = mkdtempSync(join(root, '.cache/readme-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Runs a command line as a reader would, in one directory for the whole page. */
function shell(command: string, more: Readonly<Record<string, string>>): Promise<string> {
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: path, NO_COLOR: '1', ...more }
    const options = { cwd: directory, env }
    execFile('bash', ['-c', `{ ${command}; } 2>&1`], options, (_error, stdout) =>
      // What npm says of the machine's own settings is not ours.
      resolve(stdout.replaceAll(/^npm warn.*\n/gm, '')),
    )
  })
}

const guides = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
const pages = ['README.md', ...guides.toSorted().map((name) => `docs/${name}`)]
const showsCommands = (page: string) =>
  readFileSync(join(root, page), 'utf8').includes('\n```console\n')
for (const page of pages.filter(showsCommands)) {
  describe(`what ${page} shows is what happens`, () => {
    const text = readFileSync(join(root, page), 'utf8')
    const all = blocks(text)
    const database: Record<string, string> = {}
    // A page that speaks of it has a database of its own.
    if (text.includes('DATABASE_URL')) {
      beforeAll(async () => {
        const server = await startPostgres({ directory: join(directory, 'postgres') })
        database['DATABASE_URL'] = server.url
        return () => server.stop()
      })
    }
    for (const block of all) {
      const file = /^\/\/ ([\w-]+\.ts)\b/.exec(block.text)?.[1]
      if (block.language === 'ts' && file !== undefined) {
        test(`line ${block.line}: ${file} is a whole script`, () => {
          writeFileSync(join(directory, file), block.text)
          expect(all.some((other) => other.text.includes(file) && other !== block)).toBe(true)
        })
      }
      if (block.language !== 'console') continue
      for (const { command, output } of commands(block)) {
        test(`line ${block.line}: ${command}`, { timeout: 120_000 }, async () => {
          const printed = await shell(command, database)
          expect(
            agrees(output, printed),
            `the page shows\n${output}\nbut it printed\n${printed}`,
          ).toBe(true)
        })
      }
    }
  })
}
