import { setImmediate } from 'node:timers/promises'
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
  let isAppended = false
  const refusing = async (request: AppendRequest) => {
    if (request.topic === 'a') throw new Error('refused')
    await gate.promise
    const result = await log.append(request)
    isAppended = true
    return result
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
  let isAborted = false
  const aborting = writer.abort().then(() => (isAborted = true))
  // Everything here is in memory: whoever did not wait would be through by then.
  for (let turn = 0; turn < 1000; turn++) await setImmediate()
  expect(isAborted).toBe(false)
  gate.resolve()
  await aborting
  expect(isAppended).toBe(true)
  await append(log, 'b', 0, ['later'])
  const [b] = (await log.describeTopic('b')).partitions
  expect(b?.lastStableOffset).toBe(b?.highWatermark)
  await log.close()
})
