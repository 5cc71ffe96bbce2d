import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pipelineScript, Workplace } from '../bad-input/workplace.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

test('nobody but its owner can read or write the data directory, whatever the umask', async () => {
  place.write('rows.ndjson', '{"n":1}\n{"n":2}\n')
  place.write(
    'job.ts',
    `process.umask(0)\n${pipelineScript({
      source: "ndjson<any>('rows.ndjson')",
      step: "keyBy('n'), aggregate({ rows: count() })",
    })}`,
  )
  expect(await place.run('job.ts')).toMatchObject({ code: 0 })
  await place.millrace(['topic', 'alter', 'rows', '-c', 'segmentBytes=4096'])
  const data = place.path('millrace-data')
  const modes = new Map<string, string>([['.', modeOf(data)]])
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' })) {
    modes.set(name, modeOf(join(data, name)))
  }
  expect(modes.size).toBeGreaterThan(10)
  const open = [...modes].filter(([, mode]) => !['drwx------', '-rw-------'].includes(mode))
  expect(open).toEqual([])
})

/** As `ls` shows it. */
function modeOf(path: string): string {
  const stat = statSync(path)
  const bits = (stat.mode & 0o777).toString(2).padStart(9, '0')
  const letters = Array.from(bits, (bit, i) => (bit === '1' ? ('rwx'[i % 3] ?? '') : '-'))
  return (stat.isDirectory() ? 'd' : '-') + letters.join('')
}
