import { expect, test } from 'vitest'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import { readValues, simulatedPorts } from '../testing/index.ts'
import { Producer } from './producer.ts'

const tooLarge = { topic: 't', value: 'x'.repeat(2000) }

async function logWithSmallTopic(): Promise<Log> {
  const log = await open('/data', { ports: simulatedPorts() })
  await log.createTopic({ name: 't', config: { maxMessageBytes: 1000 } })
  return log
}

test('a refused record whose send nobody awaited is thrown by the next flush, once', async () => {
  const log = await logWithSmallTopic()
  const producer = new Producer(log)
  await producer.send({ topic: 't', value: 'fits' })
  void producer.send(tooLarge)
  await expect(producer.flush()).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  await producer.flush()
  await producer.close()
  expect(await readValues(log, 't', 0)).toEqual(['fits'])
})

test('a refused record whose send was awaited is not thrown again', async () => {
  const log = await logWithSmallTopic()
  const producer = new Producer(log)
  await producer.send({ topic: 't', value: 'fits' })
  await expect(producer.send(tooLarge)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  const [settled] = await Promise.allSettled([producer.send(tooLarge)])
  expect(settled.status).toBe('rejected')
  await producer.close()
})

test('a transaction does not commit without a record that was refused unseen', async () => {
  const log = await logWithSmallTopic()
  const producer = new Producer(log, { transactionalId: 'x' })
  await producer.beginTransaction()
  await producer.send({ topic: 't', value: 'fits' })
  void producer.send(tooLarge)
  await expect(producer.commitTransaction()).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
  await producer.abortTransaction()
  await producer.close()
  expect(await readValues(log, 't', 0, 'read_committed')).toEqual([])
})

test('a record that names no topic is refused as such, and costs nothing else', async () => {
  const log = await logWithSmallTopic()
  const producer = new Producer(log)
  const nameless = { value: 'x' } as never
  await expect(producer.send(nameless)).rejects.toThrow(/the topic of a record is missing/)
  await producer.send({ topic: 't', value: 'fits' })
  await producer.close()
  expect(await readValues(log, 't', 0)).toEqual(['fits'])
})

test.each([{ group: 'g', positions: [] }, ['g'], 'g'])(
  'a transaction that is committed with %j for positions goes on, and commits with a list of them',
  async (positions) => {
    const log = await logWithSmallTopic()
    const producer = new Producer(log, { transactionalId: 'x' })
    await producer.beginTransaction()
    await producer.send({ topic: 't', value: 'fits' })
    await expect(producer.commitTransaction(positions as never)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('consumer.positions(batch)') as string,
    })
    await producer.commitTransaction([{ group: 'g', positions: [] }])
    await producer.close()
    expect(await readValues(log, 't', 0, 'read_committed')).toEqual(['fits'])
  },
)
