import { batchMemory } from '../batch/batch-memory.ts'
import { ClosedError, type MillraceError } from '../errors.ts'
import { type Clock, nodeClock } from '../io/index.ts'
import type { Channel } from '../io/channel.ts'
import type { FetchResult, Log } from '../log.ts'
import { carryError } from './carried-error.ts'
import { KeptMembers } from './kept-members.ts'
import { type Answer, LOG_CALLS, type Request } from './messages.ts'
import { movable, tight } from './owned-bytes.ts'

/** A log that is used from the other end of a channel. */
export interface ServedLog {
  /** Tells the other end that nothing is answered any more. */
  end(): void
}

/**
 * Answers the calls that come through a channel, each as soon as the log has answered. Group members
 * that joined through it are kept alive from here while their thread is busy, and leave with it.
 */
export function serveLog(log: Log, channel: Channel, clock: Clock = nodeClock): ServedLog {
  const members = new KeptMembers(log, clock)
  let isOpen = true
  const post = (answer: Answer, transfer?: readonly ArrayBuffer[]): void => {
    if (isOpen) channel.post(answer, transfer)
  }
  const answer = async (request: Request): Promise<void> => {
    const { id, memory = [] } = request
    for (const returned of memory) batchMemory.comeBack(returned)
    try {
      const result = await members.observe(request, () => call(log, request))
      if (request.call === 'fetch') postFetched(post, id, result as FetchResult)
      else post({ id, result })
    } catch (error) {
      post({ id, error: carryError(error) })
    }
  }
  channel.listen({
    onMessage: (message) => void answer(message as Request),
    onClose() {
      isOpen = false
      members.leave()
    },
  })
  // Who serves does not live on for it: an open log has never kept a process running.
  channel.setIdle(true)
  return {
    end() {
      post({ ended: carryError(closed()) })
      isOpen = false
      members.forget()
      channel.close()
    },
  }
}

async function call(log: Log, { call: name, parameters }: Request): Promise<unknown> {
  if (!Object.hasOwn(LOG_CALLS, name)) throw new TypeError(`A log has no call ${name}.`)
  const method = log[name] as (...parameters: readonly unknown[]) => Promise<unknown>
  return await method.apply(log, [...parameters])
}

/** What was read belongs to the reader alone, so large pieces move instead of being copied. */
function postFetched(
  post: (answer: Answer, transfer: readonly ArrayBuffer[]) => void,
  id: number,
  { partitions }: FetchResult,
): void {
  const transfer: ArrayBuffer[] = []
  const sent = partitions.map((fetched) => {
    const memory = movable(fetched.batches)
    if (memory === undefined) return { ...fetched, batches: tight(fetched.batches) }
    transfer.push(memory)
    return fetched
  })
  post({ id, result: { partitions: sent } }, transfer)
}

function closed(): MillraceError {
  return new ClosedError('CLOSED', 'The log was closed by the thread that opened it.')
}
