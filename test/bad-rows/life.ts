import { writeFileSync } from 'node:fs'
import { nodeFileSystem, nodePorts } from '@millrace/core/io'
import { open, redrive, run } from 'millrace'
import { failingDisk } from '../crash/failing-disk.ts'
import { failingLog } from '../crash/failing-log.ts'
import { failSql } from '../crash/failing-sql.ts'
import { type CrashPoint, Failpoints } from '../crash/failpoints.ts'
import { type Mode, tablePipeline } from './workshop.ts'

/** What a process of its own does, and where in it it is killed. */
export interface Life {
  readonly work: 'run' | 'redrive'
  readonly directory: string
  readonly url: string
  readonly name: string
  readonly mode: Mode
  readonly point?: CrashPoint
  /** Where it writes how often each step came, if it lives. */
  readonly countsFile?: string
}

const life = JSON.parse(process.argv[2] ?? '{}') as Life
const failpoints = new Failpoints(life.point)
failSql(failpoints)
const fileSystem = failingDisk(nodeFileSystem, failpoints)
const log = await open(life.directory, { ports: { ...nodePorts, fileSystem } })
const failing = failingLog(log, failpoints)
if (life.work === 'redrive') await redrive(failing, `${life.name}-dead-letters`)
else
  await run(tablePipeline(life.name, life.mode, life.url), { log: failing, onError: 'dead-letter' })
await log.close()
if (life.countsFile !== undefined) {
  writeFileSync(life.countsFile, JSON.stringify([...failpoints.counts]))
}
