import type { Clock } from '@millrace/core/io'
import { nodeClock } from '@millrace/core/io'
import type { Json, SinkBatch, SinkContext, SinkTask } from '@millrace/processors'
import type { OutputDisk } from '../out/disk.ts'
import type { FilesSinkSpec } from '../out/open-files.ts'
import { openFiles } from '../out/open-files.ts'
import { pathRule } from '../out/path-rule.ts'
import { ndjsonFormat } from '../ndjson/ndjson-format.ts'

/** For tests: a sink's surroundings. */
export function sinkContext(changes: Partial<SinkContext> = {}): SinkContext {
  return {
    pipeline: 'test',
    logId: 'log',
    columns: [],
    notice: () => {},
    signal: new AbortController().signal,
    ...changes,
  }
}

/** For tests: a sink of NDJSON files; `n` goes to one of three directories. */
export function filesSpec(directory: string, changes: Partial<FilesSinkSpec> = {}): FilesSinkSpec {
  return {
    name: 'ndjson out',
    directory,
    format: ndjsonFormat(),
    rule: pathRule({ third: ({ n }) => Number(n) % 3 }, 'test'),
    limits: { rollBytes: 1e9, rollRows: 10, rollMs: 1e9, openFilesMax: 2 },
    ...changes,
  }
}

/** For tests: rows `{n}` from `start` to below `end`, and the position after them. */
export function numbers(start: number, end: number): SinkBatch {
  const values = Array.from({ length: end - start }, (_, i) => ({ n: start + i }))
  return { size: values.length, keys: values.map(() => null), values, position: { offset: end } }
}

/** For tests: where a task goes on. */
export function offsetOf(position: Json | undefined): number {
  return position === undefined ? 0 : (position as { offset: number }).offset
}

/** For tests: claims the task `t-0`. */
export function claimTask(
  spec: FilesSinkSpec,
  disk: OutputDisk,
  context: Partial<SinkContext> = {},
  clock: Clock = nodeClock,
): Promise<SinkTask> {
  return openFiles(spec, sinkContext(context), { disk, clock }).claim('t-0')
}

/** For tests: writes what is left of the numbers below `end`, some at a time, as a run does. */
export async function writeRest(task: SinkTask, end: number, batchRows = 7): Promise<void> {
  for (let start = offsetOf(task.position); start < end; start += batchRows) {
    await task.write(numbers(start, Math.min(end, start + batchRows)))
  }
  await task.flush?.()
  await task.release()
}
