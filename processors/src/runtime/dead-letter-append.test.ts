import { open } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { appendDeadLetters } from './dead-letter-append.ts'

const MIB = 1024 * 1024

test('a letter almost as large as its topic takes is kept, whatever was refused before it', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  await log.createTopic({ name: 'letters', config: { maxMessageBytes: 3 * MIB } })
  const sizes = [0.9 * MIB, 2.9 * MIB, 100]
  const letters = sizes.map((size, offset) => ({
    origin: { topic: 't', partition: 0 },
    key: null,
    value: Buffer.alloc(size),
    headers: [],
    offset,
    timestampMs: 0,
    at: 'a sink',
    code: '23502',
    cause: 'null value',
    isOriginal: true,
  }))
  await appendDeadLetters(log, 'letters', letters)
  const { partitions } = await log.describeTopic('letters')
  expect(partitions[0]?.highWatermark).toBe(3)
  await log.close()
})
