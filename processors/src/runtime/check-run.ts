import {
  abortSignal,
  anyClock,
  anyLog,
  callback,
  checkArgument,
  checkOptions,
  type Checks,
  count,
  either,
  expecting,
  flag,
  oneOf,
  orInfinity,
  required,
  text,
} from '@millrace/core/options'
import { isPipeline } from '../pipeline.ts'
import type { RunOptions } from './options.ts'

const CHECKS: Checks<RunOptions> = {
  log: required(anyLog),
  signal: abortSignal,
  follow: flag,
  final: flag,
  onError: oneOf('fail', 'skip', 'dead-letter'),
  deadLettersMax: orInfinity(count(0)),
  connections: count(),
  threads: count(),
  script: either(
    text,
    expecting('a URL', (value) => value instanceof URL),
  ),
  onProgress: callback,
  onNotice: callback,
  clock: anyClock,
}

const somePipeline = required(expecting('what pipeline(…) gives', isPipeline))

/** @throws UsageError for what can't be run, or not like this. */
export function checkRun(pipeline: unknown, options: RunOptions): void {
  checkArgument('run', 'its pipeline', pipeline, somePipeline)
  checkOptions('run', options, CHECKS)
}
