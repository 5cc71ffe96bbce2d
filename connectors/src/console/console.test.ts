import { PassThrough } from 'node:stream'
import { ClosedError } from '@millrace/core'
import type { SinkBatch } from '@millrace/processors'
import { expect, test } from 'vitest'
import { console } from './console.ts'

async function open(stream: PassThrough) {
  const sink = await console({ stream }).open({
    pipeline: 'test',
    logId: 'test',
    columns: [],
    notice: () => {},
    signal: new AbortController().signal,
  })
  return sink.claim('t-0')
}

const batch: SinkBatch = {
  size: 3,
  keys: [{ origin: 'ORD' }, null, { origin: 'ATL' }],
  values: [{ n: 1n }, { at: new Date(0), bytes: new Uint8Array([1, 2]) }, null],
  position: 3,
}

test('each row is a line of JSON, key first', async () => {
  const stream = new PassThrough()
  const task = await open(stream)
  await task.write(batch)
  expect(String(stream.read()).trimEnd().split('\n')).toEqual([
    '{"origin":"ORD","n":1}',
    '{"at":"1970-01-01T00:00:00.000Z","bytes":"AQI="}',
    '{"key":{"origin":"ATL"},"value":null}',
  ])
})

test('CSV has one header, whoever writes, and refuses columns that it does not name', async () => {
  const stream = new PassThrough()
  const sink = console({ stream, format: 'csv' })
  const context = {
    pipeline: 'test',
    logId: 'test',
    columns: [],
    notice: () => {},
    signal: new AbortController().signal,
  }
  const row = (value: Record<string, unknown>) => ({
    size: 1,
    keys: [null],
    values: [value],
    position: 1,
  })
  for (const name of ['Lima', 'a "b"']) {
    const task = await (await sink.open(context)).claim('t-0')
    await task.write(row({ name, n: 1 }))
  }
  expect(String(stream.read())).toBe('name,n\nLima,1\n"a ""b""",1\n')
  const task = await (await sink.open(context)).claim('t-1')
  await expect(task.write(row({ other: 1 }))).rejects.toThrow('the column other')
})

test('it keeps no position, and repeats after a crash are possible', async () => {
  expect(console().guarantee).toBe('at-least-once')
  expect((await open(new PassThrough())).position).toBeUndefined()
})

test('a slow reader holds writing back', async () => {
  const stream = new PassThrough({ highWaterMark: 10 })
  const task = await open(stream)
  let isWritten = false
  const written = task.write(batch).then(() => (isWritten = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(isWritten).toBe(false)
  stream.resume()
  await written
})

test('a reader that went away ends it with a clear error', async () => {
  const stream = new PassThrough()
  const task = await open(stream)
  stream.destroy()
  await expect(task.write(batch)).rejects.toThrow(ClosedError)
})
