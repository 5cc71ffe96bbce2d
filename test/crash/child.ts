import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { compileCache } from './compile-cache.ts'
import type { LifeOptions } from './life.ts'

const script = join(import.meta.dirname, 'life.ts')
const environment = { ...process.env, ...compileCache }

/** How a life ended. */
export type End = 'killed' | 'lived'

/**
 * Lives in a process of its own; `killAfterMs` kills it from outside, so long after its start or after it has
 * said a word.
 */
export function live(options: LifeOptions, killAfterMs?: number, word?: string): Promise<End> {
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let words = ''
  let timer: NodeJS.Timeout | undefined
  const killLater = () => {
    if (killAfterMs !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  }
  if (word === undefined) killLater()
  child.stderr.on('data', (bytes) => {
    words += String(bytes)
    if (word !== undefined && words.includes(word)) killLater()
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if (signal === 'SIGKILL') resolve('killed')
      else if (code === 0) resolve('lived')
      else reject(new Error(`A life failed (${code ?? signal}):\n${words}`))
    })
  })
}
