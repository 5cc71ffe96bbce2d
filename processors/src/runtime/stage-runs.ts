import type { Stage } from '../plan.ts'
import { DeliverRun } from './deliver.ts'
import { IngestRun } from './ingest.ts'
import { ProcessRun } from './process.ts'
import type { RunControl } from './run-control.ts'
import type { RunContext, StageRun } from './stage-context.ts'

/** A stage of the plan, or what of it runs in this thread, ready to be opened. */
export function makeStage(context: RunContext, stage: Stage): StageRun {
  switch (stage.kind) {
    case 'ingest':
      return new IngestRun(context, stage)
    case 'process':
      return new ProcessRun(context, stage)
    case 'deliver':
      return new DeliverRun(context, stage)
  }
}

/** Runs an opened stage to its end; what it fails with ends the run. */
export async function runStage(stage: StageRun, control: RunControl): Promise<void> {
  try {
    await stage.run()
  } catch (error) {
    control.fail(error)
  }
}
