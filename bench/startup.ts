import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { median } from './paired.ts'
import type { Row } from './report.ts'

/** `--help` by the launcher's path, with a warm compile cache. */
export async function measure(): Promise<Row[]> {
  const launcher = join(import.meta.dirname, '../cli/bin/millrace.mjs')
  const timesMs: number[] = []
  for (let round = 0; round < 22; round++) {
    const startMs = performance.now()
    execFileSync(process.execPath, [launcher, '--help'])
    if (round > 0) timesMs.push(performance.now() - startMs)
  }
  const got = median(timesMs)
  return [
    {
      what: '`--help`, launcher by path, warm',
      got: `${got.toFixed(0)} ms`,
      spread: `${Math.min(...timesMs).toFixed(0)}–${Math.max(...timesMs).toFixed(0)} ms, 21 runs`,
      floor: '120 ms',
      aim: '60 ms',
      value: got,
      holds: got <= 120,
    },
  ]
}
