import { expect, test } from 'vitest'
import { simulatedPorts } from '../testing/index.ts'
import { Disk } from './disk.ts'
import { WatermarkFile } from './watermark.ts'

const first = { segment: 0, position: 100, visibleOffset: 5 }
const second = { segment: 7, position: 0, visibleOffset: 7 }

async function written(): Promise<{ disk: Disk; ports: ReturnType<typeof simulatedPorts> }> {
  const ports = simulatedPorts()
  const disk = new Disk(ports.fileSystem, '/')
  const { file, last } = await WatermarkFile.open(disk, ports.clock, '/w')
  expect(last).toBeUndefined()
  file.advance(first)
  await file.settled()
  file.advance(second)
  await file.close()
  return { disk, ports }
}

test('the newest watermark is found again', async () => {
  const { disk, ports } = await written()
  expect((await WatermarkFile.open(disk, ports.clock, '/w')).last).toEqual(second)
})

test('a damaged watermark leaves the one before it', async () => {
  const { disk, ports } = await written()
  // The second write went to the first slot.
  ports.machine.disk.files().get('w')?.rot(10, 1)
  expect((await WatermarkFile.open(disk, ports.clock, '/w')).last).toEqual(first)
})

test('writing goes on behind the newest slot, also after a restart', async () => {
  const { disk, ports } = await written()
  const { file } = await WatermarkFile.open(disk, ports.clock, '/w')
  file.advance(first)
  await file.close()
  expect((await WatermarkFile.open(disk, ports.clock, '/w')).last).toEqual(first)
})
