import type { DiskOperation, Fault, SeededRandom } from '@millrace/core/testing'
import type { Event, Tally } from './tally.ts'

/** When a session's process shall end, and how. */
export interface CrashPlan {
  readonly how: 'power' | 'kill' | 'none'
  /** A file operation after which the countdown begins; undefined: at once. */
  readonly trigger: 'roll' | 'retention' | 'position' | undefined
  /** Operations of the disk from the trigger to the crash. */
  readonly operations: number
}

/** Draws a plan: some crashes come within recovery, some where it hurts, some anywhere. */
export function drawCrashPlan(random: SeededRandom): CrashPlan {
  const how = random.pick(['power', 'power', 'power', 'kill', 'none'] as const)
  const kind = random.integer(6)
  if (kind === 0) return { how, trigger: undefined, operations: 1 + random.integer(60) }
  if (kind === 1) return { how, trigger: 'roll', operations: 1 + random.integer(10) }
  if (kind === 2) return { how, trigger: 'retention', operations: 1 + random.integer(6) }
  return { how, trigger: undefined, operations: 20 + random.integer(900) }
}

const SEGMENT = /\/(\d{20})\.log$/
const WINDOW_OPERATIONS = 10

/** Watches one process's disk operations: counts them, knows what the log is about, and calls the crash. */
export class DiskWatch {
  readonly #plan: CrashPlan
  readonly #tally: Tally
  readonly #crash: () => void
  #countdown: number | undefined
  #ordinal = 0
  #rollUntil = 0
  #retentionUntil = 0

  constructor(plan: CrashPlan, tally: Tally, crash: () => void) {
    this.#plan = plan
    this.#tally = tally
    this.#crash = crash
    if (plan.trigger === undefined && plan.how !== 'none') this.#countdown = plan.operations
  }

  get isInRoll(): boolean {
    return this.#ordinal <= this.#rollUntil
  }

  get isInRetention(): boolean {
    return this.#ordinal <= this.#retentionUntil
  }

  see(operation: DiskOperation, fault: Fault | undefined): void {
    this.#ordinal += 1
    if (fault !== undefined) this.#tally.count(faultEvent(operation, fault))
    this.#classify(operation)
    if (this.#countdown === undefined) return
    this.#countdown -= 1
    if (this.#countdown === 0) this.#crash()
  }

  #classify({ kind, path }: DiskOperation): void {
    const segment = SEGMENT.exec(path)?.[1]
    if (kind === 'create' && segment !== undefined && Number(segment) > 0) {
      this.#rollUntil = this.#ordinal + WINDOW_OPERATIONS
      this.#tally.count('roll')
      this.#arm('roll')
    } else if ((kind === 'rename' || kind === 'remove') && /\.log(\.deleted)?$/.test(path)) {
      this.#retentionUntil = this.#ordinal + WINDOW_OPERATIONS
      this.#arm('retention')
    } else if (kind === 'create' && path.includes('.torn-')) {
      this.#tally.count('torn tail cut')
    }
  }

  #arm(trigger: CrashPlan['trigger']): void {
    if (this.#plan.trigger === trigger && this.#plan.how !== 'none') {
      this.#countdown ??= this.#plan.operations
    }
  }
}

function faultEvent({ kind }: DiskOperation, fault: Fault): Event {
  if (fault === 'slow') return 'slow operation'
  if (fault === 'ENOSPC') return 'ENOSPC'
  if (fault === 'short') return kind === 'read' ? 'short read' : 'short write'
  if (kind === 'read') return 'EIO on read'
  return kind === 'sync' || kind === 'syncDirectory' ? 'EIO on sync' : 'EIO on write'
}
