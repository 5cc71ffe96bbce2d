import { setImmediate } from 'node:timers/promises'
import type { Ports } from '../io/index.ts'
import { Scheduler } from './scheduler.ts'
import { SeededRandom } from './seeded-random.ts'
import { type PowerLoss, SimulatedDisk } from './simulated-disk.ts'
import { SimulatedFileSystem } from './simulated-file-system.ts'
import { VirtualClock } from './virtual-clock.ts'

const IDLE_TICKS = 20
const TIMERS_MAX = 100_000

/** The ports of one simulated process, and the machine it runs on. */
export interface SimulatedPorts extends Ports {
  readonly fileSystem: SimulatedFileSystem
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly machine: SimulatedMachine
}

/**
 * A machine made of a seed: a disk that outlives processes, a clock and an order of events. The same
 * seed and the same calls give the same life.
 */
export class SimulatedMachine {
  readonly disk: SimulatedDisk
  readonly #random: SeededRandom
  readonly #scheduler: Scheduler
  #process: SimulatedPorts | undefined
  #beside: SimulatedPorts | undefined
  #startMs = 1_700_000_000_000
  #boots = 0
  #sinceBootMs = 0

  constructor(seed: number, disk = new SimulatedDisk()) {
    this.disk = disk
    this.#random = new SeededRandom(seed)
    this.#scheduler = new Scheduler(this.#random)
  }

  /** Starts a process; a former one is killed. */
  boot(): SimulatedPorts {
    this.kill()
    const { disk, clock, random } = {
      disk: this.disk,
      clock: new VirtualClock(this.#startMs, {
        id: `boot ${this.#boots}`,
        elapsedMs: this.#sinceBootMs,
      }),
      random: new SeededRandom(this.#random.bits()),
    }
    const fileSystem = new SimulatedFileSystem(disk, this.#random, this.#scheduler)
    this.#process = { fileSystem, clock, random, machine: this }
    return this.#process
  }

  /**
   * Starts a process beside the one of {@link SimulatedMachine.boot}, whose end it outlives; the one before
   * it is killed. Its clock stands still unless somebody moves it.
   */
  bootBeside(): SimulatedPorts {
    this.killBeside()
    const fileSystem = new SimulatedFileSystem(this.disk, this.#random, this.#scheduler)
    const random = new SeededRandom(this.#random.bits())
    const clock = new VirtualClock(this.#startMs, { id: `boot ${this.#boots}`, elapsedMs: 0 })
    this.#beside = { fileSystem, clock, random, machine: this }
    return this.#beside
  }

  /** Ends the process beside. */
  killBeside(): void {
    this.#beside?.fileSystem.die()
    this.#beside = undefined
  }

  /** Ends the process as kill −9 does: what it has written is kept by the running system. */
  kill(): void {
    if (this.#process === undefined) return
    const { fileSystem, clock } = this.#process
    fileSystem.die()
    clock.forgetTimers()
    this.#startMs = clock.nowMs()
    this.#sinceBootMs = clock.boot().elapsedMs
    this.#process = undefined
  }

  /** Sleeps as a laptop does: nothing runs, the wall clock goes on, the monotonic one stands still. */
  suspend(milliseconds: number): void {
    this.#process?.clock.suspend(milliseconds)
  }

  /** Ends all processes and loses what was not synced, as the seed says. */
  losePower(): PowerLoss {
    this.kill()
    this.killBeside()
    this.#boots += 1
    this.#sinceBootMs = 0
    return this.disk.losePower(this.#random)
  }

  /**
   * Resolves as `promise` does, letting virtual time pass whenever nothing else can happen.
   *
   * @throws Error when the promise waits for something that will never come.
   */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = promise.finally(() => {
      isSettled = true
    })
    settled.catch(() => {})
    let idleTicks = 0
    let timersFired = 0
    while (!isSettled) {
      await Promise.resolve()
      idleTicks = this.#scheduler.isIdle ? idleTicks + 1 : 0
      if (idleTicks < IDLE_TICKS) continue
      // Runs when no microtask is left: then, and only then, nothing can happen by itself.
      await setImmediate()
      idleTicks = 0
      if (isSettled || !this.#scheduler.isIdle) continue
      timersFired += 1
      if (timersFired > TIMERS_MAX || !this.#process?.clock.fireNext()) {
        throw new Error('stuck: neither input or output nor a timer is left to wait for')
      }
    }
    return settled
  }
}

/** A process on a machine of its own, for tests that need a quick disk and a clock they control. */
export function simulatedPorts(seed = 1): SimulatedPorts {
  return new SimulatedMachine(seed).boot()
}
