import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const openRaw = promisify(fs.open)

/** Where the system does not say how many files it gives a process. */
const LIMIT_DEFAULT = 1000
/** Files of ours for each that the system gives: one may hold two descriptors, and others need some too. */
const LIMIT_SHARE = 0.3
const LIMIT_MIN = 32
/** So far beyond the limit, opening waits for others to go to sleep. */
const PRESSURE = 1.2
const ASLEEP_AT_ONCE = 8
const RETRY_MS = 20
const TRIES_MAX = 250
/** After this long without a shortage the limit doubles, up to where it began. */
const RECOVERY_MS = 60_000

/** A file that can do without its descriptor while nobody uses it. */
export interface Sleeper {
  /** Used since it was last asked. */
  isWarm: boolean
  /** Nothing is under way in it. */
  readonly isIdle: boolean
  /** Gives its descriptor back; resolves when that is done. */
  sleep(): Promise<void>
}

/**
 * The files that hold a descriptor, so that thousands of partitions need no more of them than the
 * system gives. Beyond the limit, files that were not used lately go to sleep (the clock algorithm:
 * one round's grace for whoever was used since the last). A shortage halves the limit; it grows back once
 * the rest of the process needs fewer again.
 */
export class Descriptors {
  readonly #awake = new Set<Sleeper>()
  readonly #limitMax: number
  readonly #monotonicMs: () => number
  #limit: number
  /** When the limit last changed. */
  #changedMs = 0
  #calming: Promise<void> | undefined

  constructor(limit: number = limitOfProcess(), monotonicMs = () => performance.now()) {
    this.#limitMax = limit
    this.#limit = limit
    this.#monotonicMs = monotonicMs
  }

  /** Opens a path; when the system has no more descriptors, others are given back first. */
  async open(path: string, flags: string | number): Promise<number> {
    // Whoever needs more waits until those who need none have given theirs back.
    if (this.#awake.size > this.#limit * PRESSURE) await this.#calm()
    return this.withSpare(() => openRaw(path, flags, 0o600))
  }

  /**
   * Runs what needs a descriptor for a moment. When there is none, others are given back first, and those
   * that are in use get some seconds to end.
   */
  async withSpare<Result>(run: () => Promise<Result>): Promise<Result> {
    for (let triesLeft = TRIES_MAX; ; triesLeft--) {
      try {
        return await run()
      } catch (error) {
        if (!isShortage(error) || this.#awake.size === 0 || triesLeft === 0) throw error
        this.#limit = Math.max(LIMIT_MIN, Math.min(this.#limit, Math.floor(this.#awake.size / 2)))
        this.#changedMs = this.#monotonicMs()
        await this.#calm()
        if (triesLeft < TRIES_MAX) await sleep(RETRY_MS)
      }
    }
  }

  /** A file has got a descriptor. */
  woke(file: Sleeper): void {
    this.#awake.add(file)
    if (this.#limit < this.#limitMax) this.#growBack()
    if (this.#awake.size > this.#limit) void this.#calm()
  }

  /** It has none any more. */
  slept(file: Sleeper): void {
    this.#awake.delete(file)
  }

  #growBack(): void {
    const nowMs = this.#monotonicMs()
    if (nowMs - this.#changedMs < RECOVERY_MS) return
    this.#limit = Math.min(this.#limitMax, this.#limit * 2)
    this.#changedMs = nowMs
  }

  #calm(): Promise<void> {
    this.#calming ??= this.#putToSleep().finally(() => (this.#calming = undefined))
    return this.#calming
  }

  async #putToSleep(): Promise<void> {
    let sleeping: Promise<void>[] = []
    // Twice round at most: first the warm ones cool down.
    for (
      let looked = this.#awake.size * 2;
      looked > 0 && this.#awake.size > this.#limit;
      looked--
    ) {
      const [file] = this.#awake
      if (file === undefined) return
      this.#awake.delete(file)
      this.#awake.add(file)
      if (file.isWarm || !file.isIdle) file.isWarm = false
      // Whoever needs a descriptor has nothing to do with what is wrong with this file.
      else sleeping.push(file.sleep().catch(() => undefined))
      if (sleeping.length < ASLEEP_AT_ONCE) continue
      await Promise.all(sleeping)
      sleeping = []
    }
    await Promise.all(sleeping)
  }
}

/** The process, not the disk, has run out of files. */
function isShortage(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EMFILE' || code === 'ENFILE'
}

function limitOfProcess(): number {
  try {
    const limits = fs.readFileSync('/proc/self/limits', 'latin1')
    const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1])
    return soft > 0 ? Math.max(LIMIT_MIN, Math.floor(soft * LIMIT_SHARE)) : LIMIT_DEFAULT
  } catch {
    return LIMIT_DEFAULT
  }
}
