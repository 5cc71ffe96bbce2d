import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Calls that change a disk, or open something on it; with a `?`, machines that lack one don't mind. */
const TRACED =
  'pwrite64,pwritev,ftruncate,fsync,fdatasync,openat,' +
  '?rename,?renameat,?renameat2,?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat'

/** What is done to one call. */
export type Blow = 'EIO' | 'ENOSPC' | 'SIGKILL'

/** The n-th call of one kind, counted from 1. */
export interface Strike {
  readonly call: string
  readonly ordinal: number
  readonly blow: Blow
}

/** A system call as strace saw it. */
export interface TracedCall {
  readonly call: string
  readonly ordinal: number
  /** The line of strace, with the paths of descriptors. */
  readonly line: string
  readonly isStruck: boolean
}

/** Why strace can't be used here; `undefined` when it can. */
export async function whyNoStrace(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `strace is for Linux, and this is ${process.platform}`
  const idle = spawn('sleep', ['60'], { stdio: 'ignore' })
  try {
    if (idle.pid === undefined) return 'no process can be started'
    const { stop } = await attach(idle.pid, '/dev/null')
    await stop()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    idle.kill('SIGKILL')
  }
}

/** The one thread that does a process's file operations (with UV_THREADPOOL_SIZE=1). */
export function diskThread(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const [thread, ...others] = readdirSync(tasks).filter((tid) =>
    readFileSync(`${tasks}/${tid}/comm`, 'utf8').startsWith('libuv-worker'),
  )
  if (thread === undefined || others.length > 0) throw new Error('Not one thread uses the disk.')
  return Number(thread)
}

/** Follows the calls of one thread into a file, and strikes one of them. */
export async function attach(
  tid: number,
  traceFile: string,
  strike?: Strike,
): Promise<{ ended: Promise<void>; stop: () => Promise<void> }> {
  const args = ['-y', '-s', '0', '-o', traceFile, '-e', `trace=${TRACED}`, '-p', String(tid)]
  if (strike !== undefined) args.push('-e', injection(strike))
  const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(tracer, 'close').then(() => {})
  const words: string[] = []
  const lines = createInterface(tracer.stderr)
  const attached = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      words.push(line)
      if (line.endsWith(' attached')) resolve()
    })
    tracer.on('error', () =>
      reject(new Error('strace is not installed (Debian: apt install strace)')),
    )
    tracer.on('close', () => reject(new Error(`strace may not be used here: ${words.join(' ')}`)))
  })
  await attached
  const stop = async () => {
    tracer.kill('SIGTERM')
    await ended
  }
  return { ended, stop }
}

function injection({ call, ordinal, blow }: Strike): string {
  const what = blow === 'SIGKILL' ? 'signal=SIGKILL' : `error=${blow}`
  return `inject=${call}:${what}:when=${ordinal}`
}

/** The calls of a trace file. */
export function parseTrace(trace: string): TracedCall[] {
  const counts = new Map<string, number>()
  return trace.split('\n').flatMap((line) => {
    const call = /^([a-z0-9]+)\(/.exec(line)?.[1]
    if (call === undefined) return []
    const ordinal = (counts.get(call) ?? 0) + 1
    counts.set(call, ordinal)
    return [{ call, ordinal, line, isStruck: line.endsWith('(INJECTED)') }]
  })
}

/** The version of strace, for the record. */
export function straceVersion(): string {
  return execFileSync('strace', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? ''
}
