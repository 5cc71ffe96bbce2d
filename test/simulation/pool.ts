import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LivesResult } from './lives.ts'
import type { WorkerRequest } from './worker.ts'

const workerPath = fileURLToPath(new URL('worker.ts', import.meta.url))

/** A life takes milliseconds; one that takes this long goes round in circles. */
const LIFE_MS_MAX = 120_000

/** Runs lives in a process of its own; a life that never ends is a failure of its seed. */
export function runInProcess(request: WorkerRequest): Promise<LivesResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LivesResult>()
  const worker = fork(workerPath, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  let seed = request.firstSeed
  const hangs = (): void => {
    resolve({
      tally: { counts: {}, lives: 0 },
      failures: [{ seed, message: `the life never ends (given up after ${LIFE_MS_MAX / 1000} s)` }],
    })
    worker.kill('SIGKILL')
  }
  const deadline = setTimeout(hangs, LIFE_MS_MAX)
  worker.on('message', (message: { readonly seed: number } | LivesResult) => {
    if ('tally' in message) return resolve(message)
    seed = message.seed
    deadline.refresh()
  })
  worker.once('error', reject)
  worker.once('exit', (code) => {
    clearTimeout(deadline)
    reject(new Error(`the worker ended with ${code} before it had answered`))
  })
  worker.send(request)
  return promise
}
