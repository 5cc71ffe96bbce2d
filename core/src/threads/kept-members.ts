import { FencedError } from '../errors.ts'
import type { Clock, Timer } from '../io/index.ts'
import type { GroupMember, JoinGroupRequest, Log } from '../log.ts'
import type { Request } from './messages.ts'

interface KeptMember {
  readonly member: GroupMember
  readonly request: JoinGroupRequest
  /** Monotonic; when its own thread last spoke for it. */
  heardMs: number
}

/** Heartbeats in a session timeout. */
const BEATS_PER_SESSION = 4

/**
 * Speaks for the group members of one channel. A thread whose callbacks block it can send no heartbeat,
 * and yet it lives: so heartbeats are sent from here for as long as the channel is open, but no longer
 * than the member's rebalance timeout after its own last word (Kafka's max.poll.interval). A member whose
 * thread is gone leaves at once.
 */
export class KeptMembers {
  readonly #log: Log
  readonly #clock: Clock
  readonly #members = new Map<string, KeptMember>()
  #timer: Timer | undefined
  #isOver = false

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Does a call that came through the channel, and notes what it says about members. */
  async observe(request: Request, call: () => Promise<unknown>): Promise<unknown> {
    switch (request.call) {
      case 'joinGroup': {
        const joined = (await call()) as GroupMember
        this.#keep(joined, request.parameters[0] as JoinGroupRequest)
        return joined
      }
      case 'leaveGroup':
        this.#members.delete(nameOf(request.parameters[0] as GroupMember))
        return call()
      case 'syncGroup':
      case 'heartbeat':
        this.#hear(request.parameters[0] as GroupMember)
        return call()
      default:
        return call()
    }
  }

  /** The thread is gone: others need not wait for its sessions to time out. */
  leave(): void {
    for (const { member } of this.#members.values()) this.#leave(member)
    this.forget()
  }

  /** Speaks for nobody any more. */
  forget(): void {
    this.#isOver = true
    this.#members.clear()
    this.#timer?.cancel()
  }

  #keep({ group, memberId, generation }: GroupMember, request: JoinGroupRequest): void {
    const member = { group, memberId, generation }
    // Race: the thread was gone before its join was answered.
    if (this.#isOver) return this.#leave(member)
    this.#members.set(nameOf(member), { member, request, heardMs: this.#clock.monotonicMs() })
    this.#schedule()
  }

  #hear(member: GroupMember): void {
    const kept = this.#members.get(nameOf(member))
    if (kept !== undefined) kept.heardMs = this.#clock.monotonicMs()
  }

  #schedule(): void {
    this.#timer?.cancel()
    let everyMs = Infinity
    for (const { request } of this.#members.values()) {
      everyMs = Math.min(everyMs, request.sessionTimeoutMs / BEATS_PER_SESSION)
    }
    if (everyMs === Infinity) return
    this.#timer = this.#clock.schedule(everyMs, () => this.#beat(), 'background')
  }

  #beat(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [name, kept] of this.#members) {
      const { member, request, heardMs } = kept
      if (nowMs - heardMs > request.rebalanceTimeoutMs) {
        this.#members.delete(name)
        this.#leave(member)
        continue
      }
      this.#log.heartbeat(member).catch((error: unknown) => {
        // It is a member no more. That a rebalance is under way is for its own thread to act on.
        if (error instanceof FencedError && this.#members.get(name) === kept) {
          this.#members.delete(name)
        }
      })
    }
    this.#schedule()
  }

  #leave(member: GroupMember): void {
    this.#log.leaveGroup(member).catch(() => {
      // Gone is gone, whoever did it.
    })
  }
}

function nameOf({ group, memberId }: GroupMember): string {
  return `${group}/${memberId}`
}
