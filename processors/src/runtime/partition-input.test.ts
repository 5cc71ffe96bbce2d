import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, json, type Log, open, Producer, type Serde } from '@millrace/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { StreamRecord } from '../operators/record.ts'
import { topic } from '../topic.ts'
import { PartitionInput } from './partition-input.ts'

let directory: string
let log: Log

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-input-'))
  log = await open(directory)
})

afterEach(async () => {
  await log.close()
  await rm(directory, { recursive: true, force: true })
})

const count = 400
const textOf = (index: number): string => `${index}`.padEnd(20_000, `${index % 10}`)

/** Reads 8 MB of records, piece by piece, and gives all of them at the end. */
async function readAll(
  name: string,
  value: Serde<unknown>,
  valueOf: (index: number) => unknown,
  headerOf?: (index: number) => string,
): Promise<StreamRecord[]> {
  await log.createTopic({ name, config: { durability: 'memory' } })
  const producer = new Producer(log, { value })
  for (let index = 0; index < count; index++) {
    const headers = headerOf ? [{ key: 'h', value: Buffer.from(headerOf(index)) }] : []
    void producer.send({ topic: name, value: valueOf(index), timestampMs: index, headers })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
  const { topicId } = await log.describeTopic(name)
  const input = new PartitionInput(
    log,
    { kind: 'topic', id: name, topic: topic(name, { value }) },
    { topicId, partition: 0, position: { offset: 0, leaderEpoch: -1 }, lastStableOffset: count },
  )
  const records: StreamRecord[] = []
  while (records.length < count) {
    await input.fetch()
    while (input.step()) {
      records.push(input.record())
      input.take()
    }
  }
  return records
}

test('values of many pieces are what was sent, though pieces share memory', async () => {
  const records = await readAll('texts', json(), textOf)
  expect(records.every(({ value, offset }) => value === textOf(offset))).toBe(true)
})

test('bytes that were read stay as they were as long as somebody has them', async () => {
  const records = await readAll('bytes', bytes as Serde<unknown>, (index) =>
    Buffer.from(textOf(index)),
  )
  const texts = records.map(({ value }) => Buffer.from(value as Uint8Array).toString())
  expect(texts.every((text, index) => text === textOf(index))).toBe(true)
})

test('headers that were read stay as they were as long as somebody has them', async () => {
  const records = await readAll('headers', json(), textOf, String)
  const texts = records.map(({ headers }) => Buffer.from(headers?.[0]?.value ?? []).toString())
  expect(texts.every((text, index) => text === String(index))).toBe(true)
})

test('a serde made of another one, with a decode of its own that gives views, keeps what it gave', async () => {
  const views: Serde<unknown> = {
    ...json<unknown>(),
    decode: (buffer, start, end) => buffer.subarray(start, end),
  }
  const records = await readAll('views', views, textOf)
  expect(
    records.every(({ value, offset }) => String(value) === JSON.stringify(textOf(offset))),
  ).toBe(true)
})
