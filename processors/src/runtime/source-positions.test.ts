import {
  BatchWriter,
  type FetchRequest,
  type FindOffsetRequest,
  type Log,
  open,
  type TopicPartition,
} from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { forgetOldPositions, readSourcePositions } from './source-positions.ts'
import { sourcesTopic } from './topics.ts'

test('of the positions of sources only those that are passed are forgotten', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  const topic = sourcesTopic('p')
  await log.createTopic({ name: topic })
  const writer = new BatchWriter()
  const commit = async (stage: string, position: number) => {
    const state = { position, rows: position, ended: false }
    writer.append(stage, JSON.stringify(state), 0)
    await log.append({ topic, partition: 0, batch: writer.finish() })
  }
  await forgetOldPositions(log, 'p')
  for (const position of [1, 2, 3]) await commit('slow', position)
  for (const position of [1, 2, 3, 4]) await commit('fast', position)
  const before = await readSourcePositions(log, 'p')
  await forgetOldPositions(log, 'p')
  expect(await readSourcePositions(log, 'p')).toEqual(before)
  expect((await log.describeTopic(topic)).partitions[0]?.startOffset).toBe(2)
  await commit('slow', 4)
  await forgetOldPositions(log, 'p')
  expect((await log.describeTopic(topic)).partitions[0]?.startOffset).toBe(6)
  await log.close()
})

test('sources of one pipeline may forget their old positions at the same time', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  const topic = sourcesTopic('p')
  await log.createTopic({ name: topic })
  const writer = new BatchWriter()
  for (const position of [1, 2, 3]) {
    writer.append('one', JSON.stringify({ position, rows: position, ended: false }), 0)
    await log.append({ topic, partition: 0, batch: writer.finish() })
  }
  const expected = await readSourcePositions(log, 'p')
  let isFirst = true
  const slow: Log = Object.create(log, {
    fetch: {
      value: async (request: FetchRequest) => {
        if (isFirst) await forgetOldPositions(log, 'p')
        isFirst = false
        return log.fetch(request)
      },
    },
    findOffset: { value: (request: FindOffsetRequest) => log.findOffset(request) },
    trim: { value: (place: TopicPartition, offset: number) => log.trim(place, offset) },
  })
  await forgetOldPositions(slow, 'p')
  isFirst = true
  expect(await readSourcePositions(slow, 'p')).toEqual(expected)
  await log.close()
})
