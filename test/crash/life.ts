import { writeFileSync } from 'node:fs'
import { open } from '@millrace/core'
import { nodeFileSystem, nodePorts } from '@millrace/core/io'
import { run, type RunResult } from '@millrace/processors'
import { failingDisk } from './failing-disk.ts'
import { failingLog } from './failing-log.ts'
import { failSql } from './failing-sql.ts'
import { type CrashPoint, Failpoints } from './failpoints.ts'
import { crashedPipeline, type PipelineName, type Tables } from './pipelines.ts'

/** What a life works on. */
export interface World extends Tables {
  readonly pipeline: PipelineName
  readonly directory: string
}

/** Runs a pipeline to its end, undisturbed. */
export async function liveOn(world: World): Promise<RunResult> {
  const log = await open(world.directory)
  try {
    return await run(crashedPipeline(world.pipeline, world), { log })
  } finally {
    await log.close()
  }
}

/** What a life says once it has committed something, and maybe again. */
export const AT_WORK = 'at work'
const sayAtWork = (): void => void process.stderr.write(`${AT_WORK}\n`)

/** What a child process is told. */
export interface LifeOptions extends World {
  /** Where it is killed. */
  readonly point?: CrashPoint
  /** Where it writes how often each step came, if it lives. */
  readonly countsFile?: string
  /** It is divided among so many threads, with the log in one of its own; it then has no failpoints. */
  readonly threads?: number
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? '{}') as LifeOptions
  await (options.threads === undefined ? liveWithFailpoints(options) : liveInThreads(options))
}

async function liveInThreads({ threads = 1, ...world }: LifeOptions): Promise<void> {
  const log = await open(world.directory, { thread: true })
  const script = new URL('threaded-pipeline.ts', import.meta.url)
  await run(crashedPipeline(world.pipeline, world), {
    log,
    threads,
    script,
    onProgress({ stages }) {
      if (stages.some(({ rows }) => rows > 0)) sayAtWork()
    },
  })
  await log.close()
}

async function liveWithFailpoints(options: LifeOptions): Promise<void> {
  const failpoints = new Failpoints(options.point, (step) => {
    if (step === 'log endTransaction') sayAtWork()
  })
  failSql(failpoints)
  const fileSystem = failingDisk(nodeFileSystem, failpoints)
  const log = await open(options.directory, { ports: { ...nodePorts, fileSystem } })
  await run(crashedPipeline(options.pipeline, options), { log: failingLog(log, failpoints) })
  await log.close()
  if (options.countsFile !== undefined) {
    writeFileSync(options.countsFile, JSON.stringify([...failpoints.counts]))
  }
}
