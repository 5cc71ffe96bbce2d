import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { launcher } from './run-command.ts'

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s ends a load that waits for standard input, and nothing of it is left',
  async (...how) => {
    const [signal, code] = how
    const directory = mkdtempSync(join(tmpdir(), 'millrace-load-stdin-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const env = { ...process.env, TMPDIR: directory, DATABASE_URL: 'postgres://localhost:1/none' }
    const words = [launcher, 'load', '-', '--format', 'csv', '--table', 'piped']
    const child = spawn(process.execPath, words, { env, stdio: ['pipe', 'ignore', 'ignore'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.write('n\n1\n')
    const spooled = (): string[] =>
      readdirSync(directory, { recursive: true })
        .map(String)
        .filter((name) => name.endsWith('input'))
    await vi.waitUntil(() => spooled().length > 0, 60_000)
    child.kill(signal)
    expect((await once(child, 'exit'))[0]).toBe(code)
    expect(spooled()).toEqual([])
  },
)
