export {
  type Check,
  checkArgument,
  checkOptions,
  type Checks,
  type Misfit,
  shown,
} from './check-options.ts'
export {
  anyText,
  anything,
  bytes,
  callback,
  count,
  either,
  expecting,
  flag,
  group,
  having,
  listOf,
  milliseconds,
  oneOf,
  orInfinity,
  patienceMs,
  positive,
  recordOf,
  required,
  text,
  withMethods,
} from './checks.ts'
export { didYouMean } from './did-you-mean.ts'
export { abortSignal, anyClock, anyLog, anySerde } from './parts.ts'
