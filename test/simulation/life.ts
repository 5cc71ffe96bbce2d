import { setImmediate } from 'node:timers/promises'
import { type Log, open } from '@millrace/core'
import {
  type FaultRates,
  noFaults,
  type PowerLoss,
  randomFaults,
  SimulatedMachine,
} from '@millrace/core/testing'
import { Administrator } from './administrator.ts'
import { Bystander } from './bystander.ts'
import { DIRECTORY } from './directory.ts'
import { type CrashPlan, DiskWatch, drawCrashPlan } from './crash-plan.ts'
import { Model } from './model.ts'
import { promise } from './promise.ts'
import { PositionKeeper, Reader } from './readers.ts'
import { decay } from './rot.ts'
import type { Event, Tally } from './tally.ts'
import { recordsOf, verifyDecided, verifyRecovered } from './verify.ts'
import { World } from './world.ts'
import { type Actor, IdempotentProducer, plainAppender, Transactor } from './writers.ts'

const SESSIONS = 6
const OPERATIONS_A_SESSION = 78

const calm: FaultRates = { short: 0, slow: 0, readEio: 0, writeEio: 0, syncEio: 0, enospc: 0 }

/** What goes wrong with the disk in a session, besides its crash. */
const weathers: readonly FaultRates[] = [
  calm,
  calm,
  { ...calm, short: 10, slow: 20 },
  { ...calm, short: 5, enospc: 40 },
  { ...calm, syncEio: 100 },
  { ...calm, writeEio: 200, short: 10 },
  { ...calm, readEio: 50 },
]

/**
 * One seeded life of a log: several sessions of many users, each ended by a crash or a close, each
 * opened again and compared with the model.
 *
 * @throws BrokenPromise when the log has lost, invented, moved or half shown something.
 */
export async function live(seed: number, tally: Tally): Promise<void> {
  const life = new Life(seed, tally)
  for (let session = 0; session < SESSIONS; session += 1) await life.session()
  await life.lastSession()
  tally.lives += 1
}

/** How a session ended: on its own, with the log failed, or by a crash that has already happened. */
type Ending = 'closed' | 'failed' | 'crashed'

class Life {
  readonly #machine: SimulatedMachine
  readonly #model = new Model()
  readonly #tally: Tally
  readonly #world: World
  readonly #administrator: Administrator
  readonly #transactors: readonly Transactor[]
  readonly #actors: readonly Actor[]
  readonly #groups: readonly string[]
  readonly #bystander: Bystander
  #hasLostPower = false

  constructor(seed: number, tally: Tally) {
    this.#tally = tally
    this.#machine = new SimulatedMachine(seed)
    const world = new World(seed, this.#machine, this.#model, tally)
    this.#world = world
    this.#administrator = new Administrator(world)
    this.#transactors = [new Transactor(world, 'first'), new Transactor(world, 'second')]
    const keeper = new PositionKeeper(world, 'readers')
    const groups = [keeper.group, ...this.#transactors.map(({ name }) => name)]
    this.#actors = [
      plainAppender(world),
      new IdempotentProducer(world),
      new IdempotentProducer(world),
      ...this.#transactors,
      new Reader(world),
      keeper,
      this.#administrator,
    ]
    this.#groups = groups
    this.#bystander = new Bystander(world, groups)
  }

  async session(): Promise<void> {
    const { random } = this.#world
    const ending = await this.#run(
      drawCrashPlan(random),
      random.pick(weathers),
      OPERATIONS_A_SESSION,
    )
    if (ending !== 'closed' || random.chance(2)) this.#end(ending)
    // Answers that were given before the crash still reach those who asked.
    await setImmediate()
    if (this.#hasLostPower) this.#bystander.die()
    this.#model.lose(this.#hasLostPower ? 'power' : 'process')
    this.#hasLostPower = false
    this.#tally.count('commit left unanswered', this.#model.died())
  }

  /** A calm session at the end: whatever the last crash did must be found by it. */
  async lastSession(): Promise<void> {
    this.#machine.disk.capacityBytes = Number.POSITIVE_INFINITY
    const ending = await this.#run({ how: 'none', trigger: undefined, operations: 0 }, calm, 10)
    promise(ending === 'closed', () => `the last session, on a disk without faults, ${ending}`)
    if (this.#world.random.chance(4)) await this.#machine.until(this.#decay())
  }

  async #run(plan: CrashPlan, weather: FaultRates, operations: number): Promise<Ending> {
    const world = this.#world
    const crashed = Promise.withResolvers<Ending>()
    world.boot()
    const watch = new DiskWatch(plan, this.#tally, () => {
      this.#noteMoment(watch)
      this.#crash(plan.how)
      crashed.resolve('crashed')
    })
    world.ports.fileSystem.onOperation = (operation, fault) => {
      watch.see(operation, fault)
      // What a failed sync left unwritten goes as soon as memory is short, as if the power had gone.
      if (fault === 'EIO' && operation.kind === 'sync') this.#hasLostPower = true
    }
    const life = this.#openAndUse(weather, operations)
    try {
      return await this.#machine.until(Promise.race([crashed.promise, life]))
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('stuck')) {
        throw new Error(`the log hangs in: ${this.#waiting}`, { cause: error })
      }
      throw error
    }
  }

  async #openAndUse(weather: FaultRates, operations: number): Promise<Ending> {
    const world = this.#world
    const { fileSystem } = world.ports
    fileSystem.faults = randomFaults(world.random, weather)
    const log = await this.#open()
    if (log === undefined) return 'failed'
    world.log = log
    fileSystem.faults = noFaults
    world.budget = 1000
    await verifyRecovered(world)
    for (const transactor of this.#transactors) await transactor.start()
    await verifyDecided(world, this.#groups)
    await this.#administrator.start()
    if (world.random.chance(6)) await this.#openAgain()
    for (const actor of this.#actors)
      if (!this.#transactors.includes(actor as Transactor)) await actor.start()
    fileSystem.faults = randomFaults(world.random, weather)
    if (weather.enospc > 0) this.#fillDisk()
    world.budget = operations
    world.isUsed = true
    await Promise.all([...this.#actors, this.#bystander].map((actor) => this.#keepBusy(actor)))
    const ending = await this.#close()
    const hasRoom = this.#machine.disk.capacityBytes === Number.POSITIVE_INFINITY
    // Without room, the last may not have been marked as visible.
    if (ending === 'closed' && hasRoom && weather.enospc === 0 && world.random.chance(3)) {
      world.budget = 1000
      await this.#bystander.seesAll()
    }
    return ending
  }

  async #open(): Promise<Log | undefined> {
    this.#world.underWay.set('open', 1)
    try {
      return await open(DIRECTORY, { ports: this.#world.ports })
    } catch (error) {
      const isDiskError = error instanceof Error && /EIO|ENOSPC|disk/i.test(error.message)
      this.#expectNoOpenFile()
      if (isDiskError) return undefined
      throw error
    } finally {
      this.#world.underWay.set('open', 0)
    }
  }

  /** Opens the same directory in another process: nothing may have changed. */
  async #openAgain(): Promise<void> {
    const world = this.#world
    const before = await recordsOf(world)
    const closed = await world.attempt('close', () => world.log.close())
    const log = closed.kind === 'done' ? await this.#open() : undefined
    if (log === undefined) return
    world.log = log
    for (const transactor of this.#transactors) await transactor.start()
    promise(
      (await recordsOf(world)) === before,
      () => 'opened a second time, the log holds something else',
    )
    this.#tally.count('opened twice')
  }

  /** What the actors wait for, for the message of a life that hangs. */
  get #waiting(): string {
    return [...this.#world.underWay]
      .filter(([, count]) => count > 0)
      .map(([name]) => name)
      .join(', ')
  }

  async #keepBusy(actor: Actor): Promise<void> {
    const { ports } = this.#world
    // The bystander outlives its session.
    while (this.#world.budget > 0 && this.#world.ports === ports) await actor.step()
  }

  #decay(): Promise<void> {
    this.#model.died()
    this.#world.budget = 1000
    return decay(this.#world, () => open(DIRECTORY, { ports: this.#world.ports }))
  }

  async #close(): Promise<Ending> {
    if (this.#transactors.some(({ isOpen }) => isOpen)) this.#tally.count('transaction left open')
    this.#world.isUsed = false
    const closed = await this.#world.attempt('close', () => this.#world.log.close())
    this.#expectNoOpenFile()
    return closed.kind === 'done' ? 'closed' : 'failed'
  }

  /** Whatever was opened has been closed. */
  #expectNoOpenFile(): void {
    const { openFiles } = this.#world.ports.fileSystem
    promise(openFiles.length === 0, () => `still open: ${openFiles.join(', ')}`)
  }

  /** Leaves the disk a little room only. */
  #fillDisk(): void {
    const { disk } = this.#machine
    disk.capacityBytes = disk.usedBytes + this.#world.random.integer(20_000)
  }

  #end(ending: Ending): void {
    if (ending !== 'crashed') this.#crash(this.#world.random.chance(2) ? 'kill' : 'power')
  }

  #crash(how: CrashPlan['how']): void {
    this.#tally.count('crash')
    if (how === 'power') {
      this.#tally.count('crash: power loss')
      this.#world.lostPower()
      this.#noteLoss(this.#machine.losePower())
      this.#hasLostPower = true
    } else {
      this.#tally.count('crash: kill −9')
      this.#machine.kill()
      this.#bystander.outlived()
      if (this.#world.random.chance(2)) this.#machine.disk.evict()
    }
    if (this.#world.random.chance(2)) this.#machine.disk.capacityBytes = Number.POSITIVE_INFINITY
  }

  #noteLoss({ files, torn, reordered, directoryOperationsLost }: PowerLoss): void {
    const happened: [boolean, Event][] = [
      [files.some((file) => file.endsWith('.log')), 'unsynced bytes lost'],
      [torn > 0, 'torn sector'],
      [reordered, 'reordered writes'],
      [directoryOperationsLost > 0, 'directory operation lost'],
    ]
    for (const [did, event] of happened) if (did) this.#tally.count(event)
  }

  #noteMoment(watch: DiskWatch): void {
    const world = this.#world
    const happened: [boolean, Event][] = [
      [world.isUnderWay('open'), 'crash in recovery'],
      [watch.isInRoll, 'crash in roll'],
      [watch.isInRetention, 'crash in retention'],
      [world.isUnderWay('commit'), 'crash in a commit'],
      [this.#transactors.some(({ isOpen }) => isOpen), 'crash with a transaction open'],
      [world.isUnderWay('commit positions'), 'crash in a position commit'],
      [world.isUnderWay('create topic'), 'crash in topic creation'],
      [world.isUnderWay('delete topic'), 'crash in topic deletion'],
      [world.isUnderWay('close'), 'crash in close'],
    ]
    for (const [did, event] of happened) if (did) this.#tally.count(event)
  }
}
