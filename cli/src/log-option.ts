import type { Log } from '@millrace/core'
import { Option } from 'commander'

/** The options of every command that works on a log. */
export interface LogOption {
  readonly log: string
  /** In a thread of its own. */
  readonly thread?: boolean
}

/** Where the log is: `--log`, else `MILLRACE_LOG`, else `./millrace-data`. */
export function logOption(): Option {
  return new Option('--log <url>', 'the log: a directory, or a URL')
    .env('MILLRACE_LOG')
    .default('./millrace-data')
}

/** Opens the log for one piece of work and closes it, however that ends. */
export async function withLog<T>(
  options: LogOption,
  access: 'read-write' | 'read-only',
  work: (log: Log) => Promise<T>,
): Promise<T> {
  const { open } = await import('@millrace/core')
  const log = await open(options.log, { access, thread: options.thread ?? false })
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}
