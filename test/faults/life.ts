import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { compileCache } from '../crash/compile-cache.ts'
import { attach, diskThread, parseTrace, type Strike, type TracedCall } from './strace.ts'
import { Testimony } from './testimony.ts'
import type { Statement } from './witness.ts'

const script = join(import.meta.dirname, 'child.ts')
const environment = { ...process.env, ...compileCache, UV_THREADPOOL_SIZE: '1' }

// Against hanging only.
const LIFE_MS_MAX = 120_000

/** How a life went. */
export interface Life {
  readonly testimony: Testimony
  /** Calls on files of its directory. */
  readonly calls: readonly TracedCall[]
  /** The call that was struck, if it came to that. */
  readonly struck: TracedCall | undefined
  /** `lived`, `killed`, or what it died of. */
  readonly end: string
}

/** Lets a workload live in a process of its own, strikes one call of it, and has `look` see what is left. */
export async function live<Result>(
  workload: string,
  strike: Strike | undefined,
  look: (directory: string, life: Life) => Promise<Result>,
): Promise<Result> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-faults-'))
  try {
    const directory = join(root, 'log')
    return await look(directory, await liveIn(root, directory, workload, strike))
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

async function liveIn(
  root: string,
  directory: string,
  workload: string,
  strike: Strike | undefined,
): Promise<Life> {
  const child = spawn(process.execPath, [script, workload, directory], { env: environment })
  const exited = once(child, 'close') as Promise<[number | null, string | null]>
  const hung = setTimeout(() => child.kill('SIGKILL'), LIFE_MS_MAX)
  const statements: Statement[] = []
  let words = ''
  child.stderr.on('data', (bytes) => (words += String(bytes)))
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const statement = JSON.parse(line) as Statement
      statements.push(statement)
      if ('ready' in statement) resolve()
    })
    void exited.then(() => reject(new Error(`${workload} could not be prepared:\n${words}`)))
  })
  await ready
  const trace = join(root, 'trace')
  const tracer = await attach(diskThread(child.pid ?? 0), trace, strike)
  child.stdin.on('error', () => {})
  child.stdin.end('\n')
  const [code, signal] = await exited
  clearTimeout(hung)
  await tracer.ended
  const all = parseTrace(await readFile(trace, 'utf8'))
  const wasKilled = signal === 'SIGKILL' && strike?.blow === 'SIGKILL'
  const struck = wasKilled ? all.at(-1) : all.find(({ isStruck }) => isStruck)
  return {
    testimony: new Testimony(statements),
    calls: all.filter(({ line }) => line.includes(directory)),
    struck,
    end: code === 0 ? 'lived' : wasKilled ? 'killed' : `died of ${code ?? signal}:\n${words}`,
  }
}
