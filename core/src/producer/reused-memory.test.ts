import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { UnavailableError } from '../errors.ts'
import type { AppendRequest, AppendResult, Log } from '../log.ts'
import { open } from '../open.ts'
import { readValues } from '../testing/index.ts'
import { Producer } from './producer.ts'

let directory: string
let log: Log

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-memory-'))
  log = await open(directory)
  await log.createTopic({ name: 't' })
})

afterEach(async () => {
  await log.close()
  await rm(directory, { recursive: true, force: true })
})

function values(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`.padEnd(5000, `${index % 10}`))
}

async function sendAll(producer: Producer, sent: readonly string[]): Promise<void> {
  for (const value of sent) {
    void producer.send({ topic: 't', value })
    if (producer.isFull) await producer.room()
  }
  await producer.close()
}

it('what was sent is what is read, though batches share memory', async () => {
  const sent = values(3000)
  await sendAll(new Producer(log, { batchBytes: 128 * 1024, bufferBytes: 512 * 1024 }), sent)
  expect(await readValues(log, 't', 0)).toEqual(sent)
})

it('memory of a batch is not used again while the log may still read it after a failed try', async () => {
  let late: AppendRequest | undefined
  const append = (request: AppendRequest): Promise<AppendResult> => {
    if (late !== undefined) return log.append(request)
    // The answer is lost at once, and what was asked for happens much later.
    late = request
    return Promise.reject(new UnavailableError('UNAVAILABLE', 'not now'))
  }
  const unreliable = Object.assign(Object.create(log) as Log, {
    append,
    describeTopic: (name: string) => log.describeTopic(name),
    initProducer: () => log.initProducer({}),
  })
  const sent = values(300)
  const options = { batchBytes: 128 * 1024, bufferBytes: 256 * 1024, retryBackoffMs: 1 }
  await sendAll(new Producer(unreliable, options), sent)
  if (late === undefined) throw new Error('nothing was sent')
  // By then it is too old a retry to be known; other bytes than then would be something else.
  await expect(log.append(late)).rejects.toMatchObject({
    code: 'OUT_OF_ORDER_SEQUENCE',
    facts: { sequence: 0 },
  })
  expect(await readValues(log, 't', 0)).toEqual(sent)
})
