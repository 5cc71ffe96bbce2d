import { setTimeout } from 'node:timers/promises'
import { type AppendRequest, type Log, open } from '@millrace/core'
import { append, simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { TransactionalWriter } from './transactional-writer.ts'

const topics = ['a', 'b'].map((name) => {
  return { name, partitions: 1, compression: 'none', maxMessageBytes: 1e6 } as const
})

test('an abort waits for all that was sent, so that nothing comes after it and stays open', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  for (const { name } of topics) await log.createTopic({ name })
  const gate = Promise.withResolvers<void>()
  const refusing = async (request: AppendRequest) => {
    if (request.topic === 'a') throw new Error('refused')
    await gate.promise
    return log.append(request)
  }
  const uneven: Log = new Proxy(log, {
    get(target, name) {
      if (name === 'append') return refusing
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  const writer = await TransactionalWriter.open(uneven, 'mill', topics)
  for (const { name } of topics) writer.append(name, 0, null, 'given up', 0)
  await expect(writer.commit([])).rejects.toThrow('refused')
  const aborting = writer.abort()
  await setTimeout(20)
  gate.resolve()
  await aborting
  await setTimeout(20)
  await append(log, 'b', 0, ['later'])
  const [b] = (await log.describeTopic('b')).partitions
  expect(b?.lastStableOffset).toBe(b?.highWatermark)
  await log.close()
})
