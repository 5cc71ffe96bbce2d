import type { Log } from '@millrace/core'
import type { Failpoints } from './failpoints.ts'

const STEPS: ReadonlySet<string> = new Set([
  'createTopic',
  'append',
  'trim',
  'initProducer',
  'endTransaction',
  'commitPositions',
] satisfies (keyof Log)[])

/** A log with a failpoint before and after each call that changes it. */
export function failingLog(log: Log, failpoints: Failpoints): Log {
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      const call = member.bind(target) as (...parameters: unknown[]) => Promise<unknown>
      if (typeof name !== 'string' || !STEPS.has(name)) return call
      return (...parameters: unknown[]) =>
        failpoints.around(`log ${name}`, () => call(...parameters))
    },
  })
}
