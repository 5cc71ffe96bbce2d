import { pathToFileURL } from 'node:url'
import { shareLog, UsageError } from '@millrace/core'
import { carriedError, carryError } from '@millrace/core/internal'
import { nodeClock } from '@millrace/core/io'
import type { Pipeline } from '../../pipeline.ts'
import type { Stage } from '../../plan.ts'
import type { Ends } from '../bounds.ts'
import type { RunOptions, RunResult } from '../options.ts'
import { patientLog } from '../patient-log.ts'
import { prepareRun, type PreparedRun, resultOf } from '../prepare-run.ts'
import { ProgressReporter } from '../progress.ts'
import { Trimmer } from '../trimmer.ts'
import { Upkeep } from '../upkeep.ts'
import { GatheredCounters } from './gathered-counters.ts'
import type { Report } from './messages.ts'
import { outlineOf } from './outline.ts'
import { RemoteStages } from './remote-stages.ts'

/** How long a failed run waits for a thread that does not even notice; then it is killed. */
const ABORT_TIMEOUT_MS = 10_000

/**
 * Runs a pipeline with its tasks divided among threads. This thread runs none of them: it tells where
 * inputs end, trims, gathers progress, and ends all threads when one fails; see `run`.
 */
export async function runInThreads(pipeline: Pipeline, options: RunOptions): Promise<RunResult> {
  const { plan } = pipeline
  const script = urlOf(options.script)
  const ends = new Map<string, Ends>()
  const threads: RemoteStages[] = []
  const run = await prepareRun(plan, options, (topic, fixed) => {
    ends.set(topic, fixed)
    for (const thread of threads) thread.tell({ topic, ends: fixed })
  })
  const { control, shares } = run
  const gathered = new GatheredCounters(plan.stages)
  const clock = options.clock ?? nodeClock
  const reporter = new ProgressReporter(plan.pipeline, gathered.counters, clock, options.onProgress)
  const { onNotice: notice = () => {} } = options
  const log = patientLog(options.log, { clock, signal: control.abort, notice })
  const trimmer = new Trimmer(log, plan)
  const upkeep = new Upkeep(control)
  const receive = receiver(run, options, gathered, trimmer, upkeep)
  for (const [thread, share] of shares.entries()) {
    if (share.size === 0) continue
    const { logId, openings, topics } = run
    const { onError = 'fail', deadLettersMax = Infinity, final = false } = options
    const outline = outlineOf(plan)
    const settings = { script, outline, logId, openings, topics, ends, thread, share, final }
    const data = { ...settings, onError, deadLettersMax, logPort: shareLog(options.log) }
    threads.push(new RemoteStages(plan.pipeline, data, (report) => receive(thread, report)))
  }
  const stopFollowing = lead(run, threads)
  try {
    await openAll(plan.stages, threads, run)
    if (!control.draining) await runAll(threads, run)
  } catch (error) {
    control.fail(error)
  }
  await Promise.all(threads.map((thread) => thread.close().catch((error) => control.fail(error))))
  await upkeep.finish()
  stopFollowing()
  const last = reporter.end()
  control.finish()
  return resultOf(plan, control, reporter.elapsedMs, last)
}

function urlOf(script: string | URL | undefined): string {
  if (script === undefined) {
    throw new UsageError(
      'USAGE',
      'A run with threads needs `script`, the file whose default export is the pipeline: each thread ' +
        'imports it. In that file itself, `script: import.meta.url`.',
    )
  }
  if (script instanceof URL) return script.href
  return script.startsWith('file:') ? script : pathToFileURL(script).href
}

/** Takes in what threads report. */
function receiver(
  { control, bounds }: PreparedRun,
  { onNotice }: RunOptions,
  gathered: GatheredCounters,
  trimmer: Trimmer,
  upkeep: Upkeep,
): (thread: number, report: Report) => void {
  const fail = (error: unknown): void => control.fail(error)
  return (thread, report) => {
    if ('progress' in report) gathered.report(thread, report.progress)
    else if ('ended' in report) gathered.report(thread, report.ended)
    else if ('notice' in report) onNotice?.(report.notice)
    else if ('stageEnded' in report) void bounds.stageEnded(report.stageEnded).catch(fail)
    else if ('committed' in report) {
      const { stage, topic, partition, offset } = report.committed
      upkeep.add(() => trimmer.committed(stage, topic, partition, offset))
    } else if ('failed' in report) fail(carriedError(report.failed))
  }
}

/** Lets all threads drain and abort with the run. Returns how to let go of them. */
function lead({ control }: PreparedRun, threads: readonly RemoteStages[]): () => void {
  let deadline: NodeJS.Timeout | undefined
  const drain = (): void => {
    if (!control.failed) for (const thread of threads) thread.tell({ drain: true })
  }
  const abort = (): void => {
    const error = carryError(control.abort.reason)
    for (const thread of threads) thread.tell({ abort: error })
    deadline = setTimeout(() => {
      for (const thread of threads) void thread.kill()
    }, ABORT_TIMEOUT_MS)
  }
  control.drain.addEventListener('abort', drain)
  control.abort.addEventListener('abort', abort)
  if (control.draining) drain()
  return () => {
    control.drain.removeEventListener('abort', drain)
    control.abort.removeEventListener('abort', abort)
    clearTimeout(deadline)
  }
}

/** Upstream first; sinks one after the other, so that no two create the same table. */
async function openAll(
  stages: readonly Stage[],
  threads: readonly RemoteStages[],
  { control }: PreparedRun,
): Promise<void> {
  await Promise.all(threads.map((thread) => thread.ready()))
  for (const { id, kind } of stages) {
    const holders = threads.filter(({ share }) => share.has(id))
    if (control.draining) return
    if (kind === 'deliver') for (const thread of holders) await thread.open(id)
    else await Promise.all(holders.map((thread) => thread.open(id)))
  }
}

async function runAll(threads: readonly RemoteStages[], { control }: PreparedRun): Promise<void> {
  await Promise.all(threads.map((thread) => thread.run().catch((error) => control.fail(error))))
}
