import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { recycle } from '../batch/batch-writer.ts'
import { BatchReader, BatchWriter } from '../batch/index.ts'
import { Consumer } from '../consumer/index.ts'
import { ClosedError, FailedError, FencedError, UsageError } from '../errors.ts'
import { moduleBeside } from '../io/index.ts'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import { Producer } from '../producer/index.ts'
import { string } from '../serdes/index.ts'
import type { ThreadedLog } from './open-in-thread.ts'
import { openShared, shareLog } from './share-log.ts'

let directory: string
let log: Log
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-threads-'))
  log = await open(directory, { thread: true })
})
afterEach(async () => {
  await log.close().catch(() => {})
  await rm(directory, { recursive: true, force: true })
})

test('records pass through the thread as they were, in small and in large batches', async () => {
  await log.createTopic({ name: 'words', partitions: 2 })
  const producer = new Producer<string, string>(log, { key: string, value: string })
  const sent = Array.from({ length: 2000 }, (_, n) => `${n} ${'x'.repeat(n % 700)}`)
  for (const value of sent) void producer.send({ topic: 'words', key: value.slice(0, 3), value })
  await producer.close()
  expect((await readAll(log, 'words', sent.length)).toSorted()).toEqual(sent.toSorted())
})

test('bytes that are appended stay with who sent them, for a retry', async () => {
  await log.createTopic({ name: 'twice' })
  const writer = new BatchWriter()
  writer.append('key', 'v'.repeat(200_000), 1)
  const batch = writer.finish()
  const before = Buffer.from(batch)
  await log.append({ topic: 'twice', partition: 0, batch })
  expect(Buffer.compare(before, batch)).toBe(0)
  await log.append({ topic: 'twice', partition: 0, batch })
  expect(await readAll(log, 'twice', 2)).toHaveLength(2)
})

test('memory of what was read goes back to be read into, and what comes in it is right', async () => {
  await log.createTopic({ name: 'large' })
  const producer = new Producer<never, string>(log, { value: string })
  const valueOf = (index: number): string => `${index} `.padEnd(50_000, `${index % 10}`)
  for (let index = 0; index < 400; index++) {
    void producer.send({ topic: 'large', value: valueOf(index) })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
  const pieces: Uint8Array[] = []
  const position = { offset: 0, leaderEpoch: -1 }
  while (position.offset < 400) {
    const maxBytes = 1024 * 1024
    const { partitions } = await log.fetch({
      isolation: 'read_committed',
      maxWaitMs: 0,
      maxBytes,
      partitions: [{ topic: 'large', partition: 0, position, maxBytes }],
    })
    const { batches, nextOffset } = partitions[0] ?? { batches: Buffer.of(), nextOffset: -1 }
    const cursor = new BatchReader(batches, { fromOffset: position.offset })
    while (cursor.next()) expect(String(cursor.value)).toBe(valueOf(cursor.offset))
    recycle(batches)
    pieces.push(batches)
    position.offset = nextOffset
  }
  // All but the last have gone back.
  expect(pieces.length).toBeGreaterThan(10)
  expect(pieces.slice(0, -1).filter(({ buffer }) => buffer.byteLength > 0)).toEqual([])
})

test('an error is thrown here as the class, code and facts that it has there', async () => {
  const failing = log.describeTopic('absent')
  await expect(failing).rejects.toBeInstanceOf(UsageError)
  await expect(failing).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' })
  const beside = open(directory, { thread: true })
  await expect(beside).rejects.toMatchObject({ name: 'UsageError', code: 'DATA_DIRECTORY_IN_USE' })
})

test('a fenced producer hears of it through the thread', async () => {
  await log.createTopic({ name: 'fenced' })
  const older = new Producer(log, { transactionalId: 'one' })
  await older.beginTransaction()
  await older.send({ topic: 'fenced', value: 'old' })
  const newer = new Producer(log, { transactionalId: 'one' })
  await newer.beginTransaction()
  await newer.abortTransaction()
  await expect(older.commitTransaction()).rejects.toBeInstanceOf(FencedError)
  await newer.close()
})

test('closing frees the directory, ends what waits, and lets nobody in any more', async () => {
  await log.createTopic({ name: 'empty' })
  const other = openShared(shareLog(log))
  const waiting = other.fetch({
    isolation: 'read_committed',
    maxWaitMs: 60_000,
    maxBytes: 1000,
    partitions: [
      { topic: 'empty', partition: 0, position: { offset: 0, leaderEpoch: -1 }, maxBytes: 1000 },
    ],
  })
  waiting.catch(() => {})
  // Asked for and answered, so that the fetch has arrived as well.
  await other.describe()
  await log.close()
  await expect(waiting).rejects.toBeInstanceOf(ClosedError)
  await expect(other.describe()).rejects.toBeInstanceOf(ClosedError)
  await expect(log.describe()).rejects.toBeInstanceOf(ClosedError)
  const again = await open(directory)
  await again.close()
})

test('closing a shared log ends this use of it and no other', async () => {
  const other = openShared(shareLog(log))
  const third = openShared(shareLog(other))
  await other.describe()
  await third.describe()
  await third.close()
  await expect(third.describe()).rejects.toBeInstanceOf(ClosedError)
  expect((await other.describe()).logId).toBe((await log.describe()).logId)
})

test('when the thread dies, what is under way and all that follows fails and says so', async () => {
  await log.createTopic({ name: 'empty' })
  const other = openShared(shareLog(log))
  const position = { offset: 0, leaderEpoch: -1 }
  const request = {
    isolation: 'read_committed',
    maxWaitMs: 60_000,
    maxBytes: 1000,
    partitions: [{ topic: 'empty', partition: 0, position, maxBytes: 1000 }],
  } as const
  const waiting = [log.fetch(request), other.fetch(request)]
  for (const each of waiting) each.catch(() => {})
  await other.describe()
  await killThread(log)
  for (const each of waiting) await expect(each).rejects.toBeInstanceOf(FailedError)
  await expect(log.describe()).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await expect(other.describe()).rejects.toThrow(/opened again/)
})

test('a log that answers from its opener can be shared as well', async () => {
  await log.close()
  log = await open(directory)
  const other = openShared(shareLog(log))
  await other
    .createTopic({ name: 'made over there' })
    .catch((error: unknown) => expect(error).toMatchObject({ code: 'TOPIC_NAME_INVALID' }))
  await other.createTopic({ name: 'made' })
  expect((await log.listTopics()).map(({ name }) => name)).toContain('made')
})

test('a consumer whose thread is blocked beyond its session stays a member, and rebalances nobody', async () => {
  await log.createTopic({ name: 'work', partitions: 2 })
  const watching = openShared(shareLog(log))
  const worker = blockedConsumer(log)
  await worker.says('has a batch')
  const before = await watching.describeGroup('workers')
  await sessionsPass(watching, 3)
  const during = await watching.describeGroup('workers')
  expect(during.state).toBe('Stable')
  expect(during.members).toEqual(before.members)
  // Others are served meanwhile.
  await new Producer(watching).send({ topic: 'work', value: 'another piece' })
  worker.letGo()
  // Only a member of the same generation can commit.
  await worker.says('has committed')
  await worker.end()
})

test('records are acknowledged to one thread while the one that opened the log is blocked', async () => {
  await log.createTopic({ name: 'work' })
  const acknowledged = new Int32Array(new SharedArrayBuffer(4))
  const port = shareLog(log)
  const worker = new Worker(moduleBeside(import.meta.url, 'busy-producer-fixture'), {
    workerData: { port, acknowledged },
    transferList: [port],
  })
  // The thread starts; from the first acknowledgement on, this one runs nothing until the last.
  while (Atomics.load(acknowledged, 0) === 0) await log.describe()
  let count = Atomics.load(acknowledged, 0)
  while (count < 100) {
    expect(Atomics.wait(acknowledged, 0, count, 60_000)).not.toBe('timed-out')
    count = Atomics.load(acknowledged, 0)
  }
  await worker.terminate()
})

test('a consumer leaves its group when its thread is gone', async () => {
  await log.createTopic({ name: 'work', partitions: 2 })
  const worker = blockedConsumer(log)
  await worker.says('has a batch')
  await worker.end()
  const watching = openShared(shareLog(log))
  while ((await watching.describeGroup('workers')).members.length > 0) await watching.describe()
})

async function readAll(from: Log, topic: string, count: number): Promise<string[]> {
  const consumer = new Consumer<Uint8Array, string>(from, { topics: [topic], value: string })
  const values: string[] = []
  for await (const batch of consumer) {
    for (const record of batch.records()) values.push(record.value ?? '')
    if (values.length >= count) break
  }
  await consumer.close()
  return values
}

/** As if it ran out of memory: from outside, in the middle of what it does. */
async function killThread(threaded: Log): Promise<void> {
  await (threaded as ThreadedLog).kill()
}

const SESSION_MS = 400

/** So much time in the log's own thread, told by a round that it closes after that long. */
async function sessionsPass(watching: Log, sessions: number): Promise<void> {
  await watching.joinGroup({
    group: 'clock',
    memberId: '',
    sessionTimeoutMs: SESSION_MS * sessions * 10,
    rebalanceTimeoutMs: SESSION_MS * sessions,
    protocolType: 'test',
    protocols: [{ name: 'test', metadata: new Uint8Array(0) }],
  })
  while ((await watching.describeGroup('clock')).members.length > 0) await watching.describe()
}

/** A consumer in a thread of its own, whose body blocks its event loop until it is let go. */
function blockedConsumer(shared: Log) {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const port = shareLog(shared)
  const worker = new Worker(moduleBeside(import.meta.url, 'blocked-consumer-fixture'), {
    workerData: { port, gate, sessionTimeoutMs: SESSION_MS },
    transferList: [port],
  })
  const said: unknown[] = []
  let wake = (): void => {}
  worker.on('message', (word) => {
    said.push(word)
    wake()
  })
  return {
    async says(word: string): Promise<void> {
      while (!said.includes(word)) await new Promise<void>((resolve) => (wake = resolve))
    },
    letGo() {
      Atomics.store(gate, 0, 1)
      Atomics.notify(gate, 0)
    },
    end: () => worker.terminate(),
  }
}
