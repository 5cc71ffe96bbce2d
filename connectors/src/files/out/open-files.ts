import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type Clock, nodeClock } from '@millrace/core/io'
import type { OpenSink, SinkContext, SinkTask } from '@millrace/processors'
import { CommitChain } from './commit-chain.ts'
import { type OutputDisk, nodeDisk } from './disk.ts'
import { FilesTask, type RollLimits } from './files-task.ts'
import { waitingForRoom } from './full-disk.ts'
import { Layout } from './layout.ts'
import { outputFailed } from './output-error.ts'
import type { PathRule } from './path-rule.ts'
import { publish } from './publish.ts'
import type { OutFormat } from './row-encoder.ts'

/** A sink of files, as its options say. */
export interface FilesSinkSpec {
  readonly name: string
  readonly directory: string
  readonly format: OutFormat
  readonly rule: PathRule
  readonly limits: RollLimits
}

/** What tests put in the place of the machine. */
export interface FilesPorts {
  readonly disk: OutputDisk
  readonly clock: Clock
}

const machine: FilesPorts = { disk: nodeDisk, clock: nodeClock }

/** Opens a sink of files; its directory is made with the first claim. */
export function openFiles(
  spec: FilesSinkSpec,
  context: SinkContext,
  { disk, clock }: FilesPorts = machine,
): OpenSink {
  const root = resolve(spec.directory)
  const { notice, signal } = context
  const withRoom = waitingForRoom(root, { clock, signal, notice })
  const claim = async (task: string): Promise<SinkTask> => {
    const name = encodeURIComponent(task)
    const parts = join(root, '.millrace', context.pipeline, `${spec.format.name}-${name}`)
    const token = `${process.pid}-${randomUUID()}`
    const before = await disk.list(parts)
    const { logId, openings = [] } = context
    const owner = { logId, openings, claim: token, what: `task ${task} of "${spec.name}"` }
    const { chain, newest } = await CommitChain.claim(disk, parts, owner)
    // A process that was killed may have committed files and not named them yet.
    await withRoom(() => publish(disk, root, parts, newest.files))
    // What others left under way will never be published: they have lost the claim.
    for (const left of before) {
      if (/\.(?:part|tmp)$/.test(left)) await disk.remove(join(parts, left))
    }
    const layout = new Layout(context.columns, spec.format.needs, context.isSample)
    const { format, rule, limits } = spec
    return new FilesTask(
      {
        name,
        claim: token,
        root,
        parts,
        format,
        layout,
        rule,
        limits,
        disk,
        clock,
        withRoom,
        context,
      },
      chain,
      newest.position,
    )
  }
  return {
    claim: (task) =>
      claim(task).catch((error: unknown) => {
        throw outputFailed(root, error)
      }),
    close: async () => {},
  }
}
