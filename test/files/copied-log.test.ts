import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { json, ndjson, open, pipeline, Producer, run, topic } from 'millrace'
import { publishedIds } from './published.ts'

const entries = topic('entries', { value: json<{ id: number }>() })

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-copied-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const out = (): string => join(cwd, 'out')
const copy = (from: string, to: string): void =>
  cpSync(join(cwd, from), join(cwd, to), { recursive: true })

/** Writes records into a log of this name, and runs it into the files. */
async function go(name: string, ids: readonly number[]): Promise<void> {
  const log = await open(join(cwd, name))
  const toFiles = pipeline('to-files', ({ from }) => {
    from(entries).to(ndjson.files(out()))
  })
  try {
    const names = (await log.listTopics()).map((each) => each.name)
    if (!names.includes('entries')) await log.createTopic({ name: 'entries' })
    const producer = new Producer(log)
    for (const id of ids) await producer.send({ topic: 'entries', value: JSON.stringify({ id }) })
    await producer.close()
    await run(toFiles, { log })
  } finally {
    await log.close()
  }
}

const isCopy = {
  code: 'SINK_OF_ANOTHER_LOG',
  message: expect.stringMatching(/is a copy .* Go on with that log/) as string,
}

test('a copy of a log is refused once the log has gone on, and what it holds never mixes', async () => {
  await go('log', [0, 1])
  copy('log', 'copy')
  await go('log', [2, 3])
  // More records than the other has, so that its position would lie in the middle of them.
  for (const ids of [[10, 11, 12, 13], [14]]) {
    await expect(go('copy', ids)).rejects.toMatchObject(isCopy)
  }
  await go('log', [4])
  expect(await publishedIds(out())).toEqual([0, 1, 2, 3, 4])
})

test('a log that was moved, by copying even, goes on', async () => {
  await go('log', [0])
  copy('log', 'copy')
  rmSync(join(cwd, 'log'), { recursive: true })
  await go('copy', [1])
  renameSync(join(cwd, 'copy'), join(cwd, 'log'))
  await go('log', [2])
  expect(await publishedIds(out())).toEqual([0, 1, 2])
})

test('a copy may take over, and then the log itself is refused', async () => {
  await go('log', [0])
  copy('log', 'copy')
  await go('copy', [1])
  await expect(go('log', [10])).rejects.toMatchObject(isCopy)
  expect(await publishedIds(out())).toEqual([0, 1])
})
