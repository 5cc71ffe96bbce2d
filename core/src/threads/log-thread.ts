// The module that a log's own thread runs: it opens the log, lets other threads use it, and closes it.
import { channelOver, parentChannel, threadData } from '../io/node-thread.ts'
import { open, type OpenOptions } from '../open.ts'
import { carryError } from './carried-error.ts'
import type { Order, Report } from './messages.ts'
import { serveLog, type ServedLog } from './serve-log.ts'

/** What the thread is told. */
export interface LogThreadData {
  readonly url: string
  readonly access: OpenOptions['access']
}

const { url, access = 'read-write' } = threadData() as LogThreadData
const parent = parentChannel()
const report = (news: Report): void => parent.post(news)

try {
  const log = await open(url, { access })
  const served = new Set<ServedLog>()
  parent.listen({
    onMessage(message) {
      const order = message as Order
      if ('port' in order) served.add(serveLog(log, channelOver(order.port)))
      else void close()
    },
    onClose() {},
  })
  report({ opened: true })

  async function close(): Promise<void> {
    try {
      await log.close()
      report({ closed: true })
    } catch (error) {
      report({ failed: carryError(error) })
    }
    for (const user of served) user.end()
    parent.close()
  }
} catch (error) {
  report({ failed: carryError(error) })
}
