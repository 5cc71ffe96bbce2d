import { hostname } from 'node:os'

/** Who this process is, for the messages of other processes. */
export function processIdentity(): { readonly pid: number; readonly host: string } {
  return { pid: process.pid, host: hostname() }
}
