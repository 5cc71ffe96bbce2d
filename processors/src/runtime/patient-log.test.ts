import { open } from '@millrace/core'
import {
  append,
  batchOf,
  readValues,
  type SimulatedPorts,
  simulatedPorts,
} from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { patientLog } from './patient-log.ts'

async function patientLogWithTopic() {
  const ports = simulatedPorts()
  const log = await open('/data', { ports })
  await log.createTopic({ name: 't' })
  const stopping = new AbortController()
  const notices: string[] = []
  const notice = (message: string) => notices.push(message)
  const patient = patientLog(log, { clock: ports.clock, signal: stopping.signal, notice })
  return { ports, log, patient, stopping, notices }
}

function fill({ machine: { disk } }: SimulatedPorts): void {
  disk.capacityBytes = disk.usedBytes
}

async function pass(ports: SimulatedPorts, ms: number): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await Promise.resolve()
  ports.clock.advance(ms)
  for (let turn = 0; turn < 500; turn++) await Promise.resolve()
}

test('appends that find no room are made in their order when there is some, and it is said', async () => {
  const { ports, log, patient, notices } = await patientLogWithTopic()
  const producer = await log.initProducer({})
  fill(ports)
  const appending = ['a', 'b', 'c'].map((value, baseSequence) =>
    patient.append({
      topic: 't',
      partition: 0,
      batch: batchOf([value], { ...producer, baseSequence }),
    }),
  )
  await pass(ports, 1000)
  expect(notices.map((words) => /is full/.test(words))).toEqual([true])
  ports.machine.disk.capacityBytes = Number.POSITIVE_INFINITY
  await pass(ports, 1000)
  await Promise.all(appending)
  expect(await readValues(log, 't', 0)).toEqual(['a', 'b', 'c'])
  expect(notices[1]).toContain('room again')
})

test('waiting ends after ten minutes, or when the run is given up', async () => {
  const { ports, patient, stopping } = await patientLogWithTopic()
  fill(ports)
  const full = { code: 'DISK_FULL' }
  const late = expect(append(patient, 't', 0, ['late'])).rejects.toMatchObject(full)
  for (let minute = 0; minute <= 10; minute++) await pass(ports, 60_000)
  await late
  const stopped = expect(append(patient, 't', 0, ['stopped'])).rejects.toMatchObject(full)
  await pass(ports, 1000)
  stopping.abort()
  await pass(ports, 1000)
  await stopped
})

test('a small write that still fits ends nobody else’s waiting, nor says that there is room', async () => {
  const { ports, patient, notices } = await patientLogWithTopic()
  const { disk } = ports.machine
  disk.capacityBytes = disk.usedBytes + 20_000
  const large = expect(append(patient, 't', 0, ['x'.repeat(100_000)])).rejects.toMatchObject({
    code: 'DISK_FULL',
  })
  await pass(ports, 1000)
  for (let minute = 0; minute <= 10; minute++) {
    const small = patient.commitPositions({ group: 'g', positions: [] })
    await pass(ports, 60_000)
    await small
  }
  await large
  expect(notices).toHaveLength(1)
})
