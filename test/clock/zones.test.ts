import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-zones-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Times around hours that daylight saving leaves out or repeats, in every form that is taken. */
function rowsOf(day: string): string[] {
  const texts: string[] = []
  for (let hour = 0; hour < 24; hour++) {
    const at = `${day}${hour % 2 === 0 ? ' ' : 'T'}${String(hour).padStart(2, '0')}:20`
    texts.push(`${at}${['', ':30', ':30.125'][hour % 3]}`)
  }
  return [day, ...texts].map((at) => `here,${at}`)
}

function windowsIn(zone: string, file: string): string[] {
  const script = join(import.meta.dirname, 'windows.ts')
  const log = join(directory, zone.replace('/', '-'))
  const { stdout, stderr } = spawnSync(process.execPath, [script, log, file], {
    env: { ...process.env, TZ: zone },
    encoding: 'utf8',
  })
  if (stdout === '') throw new Error(stderr)
  return stdout.trim().split('\n').toSorted()
}

test('windows are the same in every time zone, also over the days on which clocks are changed', async () => {
  const file = join(directory, 'rows.csv')
  const days = ['2024-03-10', '2024-03-31', '2024-11-03', '2024-12-31']
  await writeFile(file, ['place,at', ...days.flatMap(rowsOf)].join('\n'))
  const inUtc = windowsIn('UTC', file)
  expect(inUtc.length).toBeGreaterThan(100)
  for (const zone of ['Asia/Kathmandu', 'America/St_Johns', 'Australia/Lord_Howe']) {
    expect(windowsIn(zone, file), zone).toEqual(inUtc)
  }
})
