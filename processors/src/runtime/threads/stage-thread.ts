// The module that each thread of a run executes: it imports the user's script, opens its share of the
// stages when it is told to, and runs them until their input has ended or the run drains.
import { openShared, UsageError } from '@millrace/core'
import { carriedError, carryError } from '@millrace/core/internal'
import { nodeClock, parentChannel, threadData } from '@millrace/core/io'
import { compileChain } from '../../operators/chain.ts'
import { isPipeline } from '../../pipeline.ts'
import type { Plan } from '../../plan.ts'
import { MemoryStore } from '../../state/memory-store.ts'
import type { Ends } from '../bounds.ts'
import { patientLog } from '../patient-log.ts'
import { RunControl } from '../run-control.ts'
import type { RunBounds, RunContext, RunTrimmer, StageRun } from '../stage-context.ts'
import { makeStage, runStage } from '../stage-runs.ts'
import { Trimmer } from '../trimmer.ts'
import type { Order, Report, StageThreadData } from './messages.ts'
import { outlineOf } from './outline.ts'
import { thisThread } from './this-thread.ts'

const REPORT_EVERY_MS = 250

const data = threadData() as StageThreadData
const parent = parentChannel()
const log = openShared(data.logPort)
const interrupt = new AbortController()
const control = new RunControl(interrupt.signal, nodeClock)
const ends = new Map<string, Ends>(data.ends)
const stages = new Map<string, StageRun>()
let isAborted = false

thisThread.runsStages = true
parent.listen({ onMessage: (message) => void obey(message as Order), onClose() {} })
control.abort.addEventListener('abort', () => {
  if (!isAborted) report({ failed: carryError(control.abort.reason) })
})
try {
  const context = contextFor(await importPlan())
  for (const stage of context.plan.stages) {
    if (data.share.has(stage.id)) stages.set(stage.id, makeStage(context, stage))
  }
  reportProgress()
  report({ ready: true })
} catch (error) {
  report({ refused: carryError(error) })
}

function report(news: Report): void {
  parent.post(news)
}

function snapshots() {
  return [...stages.values()].map(({ counters }) => counters.snapshot(0))
}

function reportProgress(): void {
  nodeClock.schedule(
    REPORT_EVERY_MS,
    () => {
      report({ progress: snapshots() })
      reportProgress()
    },
    'background',
  )
}

async function obey(order: Order): Promise<void> {
  if ('open' in order) await open(order.open)
  else if ('run' in order) await run()
  else if ('close' in order) await close()
  else if ('ends' in order) {
    ends.set(order.topic, order.ends)
    control.wake()
  } else if ('drain' in order) interrupt.abort()
  else {
    isAborted = true
    control.fail(carriedError(order.abort))
  }
}

async function open(id: string): Promise<void> {
  try {
    await stages.get(id)?.open()
    report({ opened: id })
  } catch (error) {
    report({ refused: carryError(error) })
  }
}

async function run(): Promise<void> {
  await Promise.all(Array.from(stages.values(), (stage) => runStage(stage, control)))
  await close()
}

async function close(): Promise<void> {
  for (const stage of stages.values()) await stage.close().catch((error) => control.fail(error))
  try {
    control.finish()
  } catch {
    // The run knows it already.
  }
  report({ ended: snapshots() })
  await log.close()
  parent.close()
}

async function importPlan(): Promise<Plan> {
  const exported = ((await import(data.script)) as { default?: unknown }).default
  if (isPipeline(exported) && outlineOf(exported.plan) === data.outline) return exported.plan
  throw new UsageError(
    'PIPELINE_INVALID',
    `${data.script} gives ${isPipeline(exported) ? 'another pipeline' : 'no pipeline'} as its default ` +
      'export in a thread than where the run was started. Each thread imports the script again: it must ' +
      'describe the same pipeline each time.',
    { facts: { script: data.script } },
  )
}

function contextFor(plan: Plan): RunContext {
  const { logId, openings, topics, thread, share, onError, deadLettersMax, final } = data
  const notice = (message: string) => report({ notice: message })
  return {
    log: patientLog(log, { clock: nodeClock, signal: control.abort, notice }),
    logId,
    openings,
    plan,
    compile: compileChain,
    createStore: ({ name }) => new MemoryStore(name),
    topics,
    control,
    bounds: bounds(),
    trimmer: trimmer(plan),
    clock: nodeClock,
    onError,
    deadLettersMax,
    final,
    thread,
    share,
    notice,
  }
}

/** A topic may be fed from several threads; the run knows when all of them are done. */
function bounds(): RunBounds {
  return {
    endOf: (topic, partition) => ends.get(topic)?.[partition],
    stageEnded: async (topics) => report({ stageEnded: topics }),
  }
}

/** A topic may be read in several threads; the run knows when all of them are past a record. */
function trimmer(plan: Plan): RunTrimmer {
  const known = new Trimmer(log, plan)
  return {
    trims: (topic) => known.trims(topic),
    committed: async (stage, topic, partition, offset) => {
      if (known.trims(topic)) report({ committed: { stage, topic, partition, offset } })
    },
  }
}
