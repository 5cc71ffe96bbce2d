import { openEmbedded } from './embedded/open-embedded.ts'
import { openReadOnly } from './embedded/read-only-log.ts'
import { UsageError } from './errors.ts'
import { nodePorts } from './io/index.ts'
import type { Ports } from './io/index.ts'
import type { Log } from './log.ts'
import {
  checkArgument,
  checkOptions,
  type Checks,
  expecting,
  flag,
  oneOf,
  text,
} from './options/index.ts'

/** Where a log lives unless it is said. */
export const DEFAULT_LOG_URL = './millrace-data'

/** How to open a log. */
export interface OpenOptions {
  /** `read-write` (default): this process owns the data directory. `read-only`: it only follows it. */
  readonly access?: 'read-write' | 'read-only'
  /**
   * In a thread of its own (default false): a callback that keeps this thread busy then delays neither
   * others' acknowledgements nor the log's upkeep, and a consumer in it stays a member of its group for
   * up to its `rebalanceTimeoutMs`. Costs some 10 ms to open, and a copy of each batch.
   */
  readonly thread?: boolean
  /** The outside world; tests bring a simulated one. */
  readonly ports?: Ports
}

const CHECKS: Checks<OpenOptions> = {
  access: oneOf('read-write', 'read-only'),
  thread: flag,
  ports: expecting('ports, such as simulatedPorts()', (value) => typeof value === 'object'),
}

/**
 * Opens a log and recovers it if its last owner crashed.
 *
 * @param url A directory (`./data` or `file:./data`), made when absent.
 * @throws UsageError DATA_DIRECTORY_IN_USE naming the owner; UsageError USAGE for another kind of URL.
 * @throws CorruptDataError CORRUPT_DATA, FORMAT_TOO_NEW: nothing was changed.
 */
export async function open(url: string = DEFAULT_LOG_URL, options: OpenOptions = {}): Promise<Log> {
  checkArgument('open', 'its URL', url, text)
  checkOptions('open', options, CHECKS)
  const directory = directoryOf(url)
  if (options.thread === true) {
    if (options.ports !== undefined) {
      throw new UsageError(
        'USAGE',
        'A log in a thread of its own has the real ports: leave out `ports`.',
      )
    }
    const { openInThread } = await import('./threads/open-in-thread.ts')
    return openInThread(directory, options.access)
  }
  const ports = options.ports ?? nodePorts
  return options.access === 'read-only'
    ? openReadOnly(directory, ports)
    : openEmbedded(directory, ports)
}

function directoryOf(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'file') {
    throw new UsageError(
      'USAGE',
      `A log at "${url}" cannot be opened: ${scheme}: is not in this version. Give a directory, such as ./data.`,
      { facts: { scheme } },
    )
  }
  const path = scheme === undefined ? url : url.slice('file:'.length).replace(/^\/\/(?=\/)/, '')
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path
  if (trimmed === '') throw new UsageError('USAGE', 'The log URL names no directory.')
  return trimmed
}
