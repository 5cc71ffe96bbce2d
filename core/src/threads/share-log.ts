import { channelOver, type MessagePort, portPair } from '../io/node-thread.ts'
import type { Log } from '../log.ts'
import { ThreadedLog } from './open-in-thread.ts'
import { PortLog } from './port-log.ts'
import { serveLog } from './serve-log.ts'

/**
 * Makes a port by which one more thread uses this log: transfer it to that thread, which gives it to
 * {@link openShared}. A log opened with `thread: true` answers from its own thread, so that this one may
 * be busy; another log answers from here.
 */
export function shareLog(log: Log): MessagePort {
  if (log instanceof ThreadedLog) return log.newPort()
  const [here, there] = portPair()
  serveLog(log, channelOver(here))
  return there
}

/**
 * The log behind a port of {@link shareLog}. Closing it ends this use only. When the log's thread is
 * gone, every call fails with FailedError LOG_FAILED; when the log was closed, with ClosedError.
 */
export function openShared(port: MessagePort): Log {
  return new PortLog(channelOver(port))
}
