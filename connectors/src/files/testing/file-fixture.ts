import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json, Source, SourceBatch } from '@millrace/processors'
import { onTestFinished } from 'vitest'

/** For tests: writes a file into a directory that goes away with the test. */
export async function temporaryFile(content: string | Uint8Array, name = 'input'): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-files-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

/** For tests: all batches of a source from a position on. */
export async function readBatches<Row>(
  source: Source<Row>,
  position?: Json,
): Promise<SourceBatch<Row>[]> {
  const reader = await source.open({ position, signal: new AbortController().signal })
  try {
    const batches: SourceBatch<Row>[] = []
    for await (const batch of reader.batches()) batches.push(batch)
    return batches
  } finally {
    await reader.close()
  }
}

/** For tests: all rows of a source from a position on. */
export async function readRows<Row>(source: Source<Row>, position?: Json): Promise<Row[]> {
  return (await readBatches(source, position)).flatMap(({ rows }) => rows)
}
