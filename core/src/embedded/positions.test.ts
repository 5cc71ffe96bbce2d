import { describe, expect, test } from 'vitest'
import type { Durability, Log, StoredPosition } from '../log.ts'
import { open } from '../open.ts'
import { append, simulatedPorts, type SimulatedPorts } from '../testing/index.ts'

async function logWith(
  durability: Durability,
): Promise<{ log: Log; ports: SimulatedPorts; at: (offset: number) => StoredPosition }> {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  const { topicId } = await log.createTopic({ name: 't', config: { durability } })
  await append(log, 't', 0, ['a', 'b'])
  const at = (offset: number): StoredPosition => ({
    topic: 't',
    partition: 0,
    topicId,
    position: { offset, leaderEpoch: 0 },
  })
  return { log, ports, at }
}

describe('a stored position', () => {
  test('survives a power loss, and the newest stands', async () => {
    const { log, ports, at } = await logWith('fsync')
    await log.commitPositions({ group: 'g', positions: [at(1)] })
    await log.commitPositions({ group: 'g', positions: [{ ...at(2), metadata: 'note' }] })
    ports.machine.losePower()
    const again = await open('/data', { ports: ports.machine.boot() })
    expect(await again.readPositions('g')).toEqual([{ ...at(2), metadata: 'note' }])
    expect((await again.describeGroup('g')).positions.length).toBe(1)
    expect((await again.listGroups()).map(({ group }) => group)).toEqual(['g'])
  })

  test('never outlives what it points past', async () => {
    const { log, ports, at } = await logWith('os')
    await log.commitPositions({ group: 'g', positions: [at(2)] })
    ports.machine.losePower()
    const again = await open('/data', { ports: ports.machine.boot() })
    expect((await again.describeTopic('t')).partitions[0]?.highWatermark).toBe(2)
  })

  test('is refused where records may vanish with the process', async () => {
    const { log, at } = await logWith('memory')
    await expect(log.commitPositions({ group: 'g', positions: [at(1)] })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })

  test('is refused past the end, from another epoch, or of another topic of that name', async () => {
    const { log, at } = await logWith('fsync')
    const wrong = [
      at(3),
      { ...at(2), position: { offset: 2, leaderEpoch: 4 } },
      { ...at(2), topicId: '00000000-0000-4000-8000-000000000000' },
    ]
    for (const position of wrong) {
      await expect(
        log.commitPositions({ group: 'g', positions: [position] }),
      ).rejects.toMatchObject({ code: 'POSITION_DIVERGED' })
    }
    expect(await log.readPositions('g')).toEqual([])
  })

  test('is stored with all others of its request, or none is', async () => {
    const { log, at } = await logWith('fsync')
    await expect(
      log.commitPositions({ group: 'g', positions: [at(1), at(99)] }),
    ).rejects.toMatchObject({ code: 'POSITION_DIVERGED' })
    expect(await log.readPositions('g')).toEqual([])
  })
})
