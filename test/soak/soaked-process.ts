import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LifeOptions, LifeStatement } from './life.ts'

const script = join(import.meta.dirname, 'life.ts')

/** A life in a process of its own. */
export class SoakedProcess {
  /** The number of the last record made. */
  made = -1
  /** What it said at its end. */
  late: number | undefined
  skipped: number | undefined
  readonly startedMs = performance.now()
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #words = ''

  constructor(options: LifeOptions) {
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: [...stdio] })
    this.#child = child
    this.#exited = once(child, 'close')
    child.stderr?.on('data', (bytes) => (this.#words += String(bytes)))
    if (child.stdout === null) return
    createInterface(child.stdout).on('line', (line) => {
      const statement = JSON.parse(line) as LifeStatement
      if ('made' in statement) this.made = statement.made
      else ({ late: this.late, skipped: this.skipped } = statement)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Throws what it died of, if it died by itself. */
  assertAlive(): void {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) return
    throw new Error(
      `The soaked process ended by itself (${exitCode ?? signalCode}):\n${this.#words}`,
    )
  }

  async kill(): Promise<void> {
    this.assertAlive()
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Resolves when it has come to its end. */
  async ended(): Promise<void> {
    await this.#exited
    if (this.#child.exitCode !== 0) this.assertAlive()
  }
}
