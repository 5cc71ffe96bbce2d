import module from 'node:module'
import { dirname } from 'node:path'
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads'
import type { Channel } from './channel.ts'

export type { MessagePort }

/** How a thread ends: by itself, or with what it threw. */
export interface ThreadEnd {
  readonly error: unknown
  readonly exitCode: number
}

/** What a thread is started with. */
export interface ThreadOptions {
  /** For debuggers and `top -H`. */
  readonly name: string
  /** What {@link threadData} gives there. */
  readonly data: unknown
  /** Those in `data`, which move there. */
  readonly ports?: readonly MessagePort[]
}

/** Another thread of this process, running a module of ours. */
export interface Thread {
  readonly channel: Channel
  /** Hands over a port, beside a message. */
  sendPort(message: unknown, port: MessagePort): void
  /** Resolves when the thread is gone; `error` is what it threw, if it did. */
  readonly ended: Promise<ThreadEnd>
  /** Ends it where it stands. */
  kill(): Promise<void>
}

/**
 * Starts a module in a thread of its own. The thread does not keep the process running while its
 * channel is idle. It sees this process's arguments and environment.
 */
export function startThread(module: URL, { name, data, ports = [] }: ThreadOptions): Thread {
  const worker = new Worker(module, {
    name,
    argv: process.argv.slice(2),
    env: environment(),
    workerData: data,
    transferList: [...ports],
  })
  let thrown: unknown
  worker.on('error', (error: unknown) => (thrown = error))
  const ended = new Promise<ThreadEnd>((resolve) => {
    worker.on('exit', (exitCode) => resolve({ error: thrown, exitCode }))
  })
  return {
    channel: channelOfWorker(worker, ended),
    sendPort: (message, port) => worker.postMessage(message, [port]),
    ended,
    kill: async () => void (await worker.terminate()),
  }
}

/** A thread compiles what it imports afresh, at half a second's work, unless it finds the process's cache. */
function environment(): NodeJS.ProcessEnv {
  const cache = module.getCompileCacheDir()
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) }
}

/** What this thread was started with. */
export function threadData(): unknown {
  return workerData
}

/** The line from this thread to the one that started it. */
export function parentChannel(): Channel {
  if (parentPort === null) throw new Error('This module runs only in a thread of its own.')
  return channelOver(parentPort)
}

/** A line between two threads: each end may be moved to one. */
export function portPair(): readonly [MessagePort, MessagePort] {
  const { port1, port2 } = new MessageChannel()
  return [port1, port2]
}

/** The channel whose end is at this port. */
export function channelOver(port: MessagePort): Channel {
  return {
    post: (message, transfer = []) => port.postMessage(message, [...transfer]),
    listen({ onMessage, onClose }) {
      port.on('message', onMessage)
      port.on('close', onClose)
    },
    setIdle: (isIdle) => (isIdle ? port.unref() : port.ref()),
    close: () => port.close(),
  }
}

/**
 * A module that lies beside another one, in the form which that one has: `.ts` in the workspace, `.js`
 * in a package.
 *
 * @param moduleUrl `import.meta.url` of the one.
 */
export function moduleBeside(moduleUrl: string, name: string): URL {
  const extension = /\.[^./?]+(?=$|\?)/.exec(moduleUrl)?.[0] ?? '.js'
  return new URL(`./${name}${extension}`, moduleUrl)
}

function channelOfWorker(worker: Worker, ended: Promise<unknown>): Channel {
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    listen({ onMessage, onClose }) {
      worker.on('message', onMessage)
      void ended.then(onClose)
    },
    setIdle: (isIdle) => (isIdle ? worker.unref() : worker.ref()),
    close: () => {},
  }
}
