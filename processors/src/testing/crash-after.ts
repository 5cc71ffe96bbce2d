import type { Log } from '@millrace/core'

/** The calls that change a log; between any two of them a crash leaves something else behind. */
const CHANGES: ReadonlySet<string | symbol> = new Set<keyof Log>([
  'append',
  'endTransaction',
  'commitPositions',
  'trim',
])

/** A log that calls `crash` instead of doing the n-th change (from 1), and never answers again. */
export function crashAfter(log: Log, changes: number, crash: () => void): Log {
  let left = changes
  const never = new Promise<never>(() => {})
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...parameters: unknown[]) => Promise<unknown>
      return (...parameters: unknown[]) => {
        if (left <= 0) return never
        if (CHANGES.has(name)) left--
        if (left > 0) return call(...parameters)
        crash()
        return never
      }
    },
  })
}
