import { withMethods } from './checks.ts'

/** A log that is open: not the promise of one. */
export const anyLog = withMethods('a log, such as await open()', 'append', 'describeTopic')

/** A codec of keys or values. */
export const anySerde = withMethods('a serde, such as json()', 'encode', 'decode')

/** A clock, of the machine or simulated. */
export const anyClock = withMethods('a Clock', 'nowMs', 'monotonicMs', 'schedule')

/** What an `AbortController` has. */
export const abortSignal = withMethods('an AbortSignal', 'addEventListener', 'throwIfAborted')
