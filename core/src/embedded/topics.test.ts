import { describe, expect, test } from 'vitest'
import type { Log } from '../log.ts'
import { open } from '../open.ts'
import {
  append,
  fetchFrom,
  readValues,
  simulatedPorts,
  type SimulatedPorts,
} from '../testing/index.ts'

async function newLog(): Promise<{ log: Log; ports: SimulatedPorts }> {
  const ports = simulatedPorts()
  return { log: await open('/data', { ports }), ports }
}

describe('a topic’s name', () => {
  test.each(['a', 'A-b_c.d', '0', 'x'.repeat(249)])('may be %s', async (name) => {
    const { log } = await newLog()
    expect((await log.createTopic({ name })).name).toBe(name)
  })

  test.each(['', '.', '..', 'a b', 'a/b', 'ä', 'x'.repeat(250), '__commit_journal'])(
    'may not be "%s"',
    async (name) => {
      const { log } = await newLog()
      await expect(log.createTopic({ name })).rejects.toMatchObject({ code: 'TOPIC_NAME_INVALID' })
    },
  )

  test('may not differ from another by case alone', async () => {
    const { log } = await newLog()
    await log.createTopic({ name: 'Flights' })
    await expect(log.createTopic({ name: 'flights' })).rejects.toMatchObject({
      code: 'TOPIC_NAME_INVALID',
    })
    await expect(log.createTopic({ name: 'Flights' })).rejects.toMatchObject({
      code: 'TOPIC_EXISTS',
      message: 'Topic Flights exists already. Use it as it is, or choose another name.',
    })
  })

  test('that nobody has is answered with the one that was meant', async () => {
    const { log } = await newLog()
    await log.createTopic({ name: 'flights' })
    await expect(log.describeTopic('flight')).rejects.toThrow(/Did you mean "flights"\?/)
    await expect(log.describeTopic('flihgtz')).rejects.toThrow(/Did you mean "flights"\?/)
    await expect(log.deleteTopic('x')).rejects.toThrow(/or correct the name/)
    await expect(append(log, 'flights', 3, ['a'])).rejects.toThrow(/no partition 3/)
  })
})

describe('topics', () => {
  test('are there after a power loss as soon as their creation is answered', async () => {
    const { log, ports } = await newLog()
    const made = await log.createTopic({ name: 't', partitions: 3, config: { segmentBytes: 5000 } })
    ports.machine.losePower()
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await again.describeTopic('t')).toEqual(made)
  })

  test('keep their records when partitions are added', async () => {
    const { log } = await newLog()
    await log.createTopic({ name: 't' })
    await append(log, 't', 0, ['a'])
    expect((await log.addPartitions('t', 3)).partitions.length).toBe(3)
    await append(log, 't', 2, ['b'])
    expect(await readValues(log, 't', 0)).toEqual(['a'])
    await expect(log.addPartitions('t', 2)).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('change the settings named and keep the others', async () => {
    const { log, ports } = await newLog()
    await log.createTopic({ name: 't', config: { segmentBytes: 5000 } })
    await log.alterTopic('t', { retentionMs: 1000 })
    const again = await open('/data', { ports: ports.machine.boot() })
    expect((await again.describeTopic('t')).config).toMatchObject({
      segmentBytes: 5000,
      retentionMs: 1000,
    })
    await expect(again.alterTopic('t', { durability: 'fsyncc' as 'fsync' })).rejects.toThrow(
      /must be one of memory, os, fsync/,
    )
    await expect(again.alterTopic('t', { segmentSize: 1 } as object)).rejects.toThrow(
      /no option "segmentSize"/,
    )
  })

  test('that are deleted are gone at once, with their files and positions, and the name is free', async () => {
    const { log, ports } = await newLog()
    const { topicId } = await log.createTopic({ name: 't' })
    await append(log, 't', 0, ['old'])
    const position = { offset: 1, leaderEpoch: 0 }
    const stored = { topic: 't', partition: 0, topicId, position }
    await log.commitPositions({ group: 'g', positions: [stored] })
    await log.deleteTopic('t')
    await expect(log.describeTopic('t')).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' })
    expect(await log.readPositions('g')).toEqual([])
    const anew = await log.createTopic({ name: 't' })
    expect(anew.topicId).not.toBe(topicId)
    expect(await readValues(log, 't', 0)).toEqual([])
    expect((await fetchFrom(log, 't', 0, 0, { topicId })).error?.code).toBe('POSITION_DIVERGED')
    await log.close()
    expect(await ports.fileSystem.list('/data')).toEqual([
      '.lock',
      '__commit_journal-0',
      'meta.json',
      't-0',
      'topics.checkpoint',
    ])
  })

  test('whose deletion a crash interrupts anywhere are there with all records, or gone', async () => {
    const seen = new Set<string>()
    for (let crashAt = 1; crashAt < 40; crashAt++) {
      const { log, ports } = await newLog()
      await log.createTopic({ name: 't', partitions: 2 })
      await append(log, 't', 1, ['a'])
      let operations = 0
      ports.fileSystem.onOperation = () => {
        if (++operations === crashAt) ports.machine.losePower()
      }
      void log.deleteTopic('t').catch(() => {})
      for (let turn = 0; turn < 500; turn++) await Promise.resolve()
      const again = await open('/data', { ports: ports.machine.boot() })
      const isThere = (await again.listTopics()).length > 0
      seen.add(isThere ? (await readValues(again, 't', 1)).join() : 'gone')
      await again.close()
    }
    expect([...seen].toSorted()).toEqual(['a', 'gone'])
  })
})
