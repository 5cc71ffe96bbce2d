import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { csv, json, keyBy, ndjson, open, pipeline, run, type Topic, topic } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { publishedFiles, publishedRows } from './published.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-dates-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

const lines = [
  'day,at,n',
  '2001-02-03,2001-02-03 04:05:06,1',
  '2001-02-04,2001-02-03T04:05:06.789123+02:00,2',
]

interface Day {
  readonly day: unknown
}

/** File → topic → files. */
async function copyThrough(days: Topic<null, Day>, columns = {}): Promise<void> {
  writeFileSync(join(cwd, 'days.csv'), `${lines.join('\n')}\n`)
  const copy = pipeline('copy', ({ from }) => {
    from(csv<Day>(join(cwd, 'days.csv'), { columns })).to(days)
    from(days).to(csv.files(join(cwd, 'csv')))
    from(days)
      .pipe(keyBy({ again: ({ day }) => day }))
      .to(ndjson.files(join(cwd, 'keyed')))
  })
  const log = await open(join(cwd, 'log'))
  try {
    await run(copy, { log })
  } finally {
    await log.close()
  }
}

const copied = () => publishedFiles(join(cwd, 'csv')).map((path) => readFileSync(path, 'utf8'))

test('dates and times of CSV come out of a pipeline as the text that they were, declared or not', async () => {
  await copyThrough(topic('days', { value: json<Day>() }))
  expect(copied()).toEqual([`${lines.join('\n')}\n`])
  expect((await publishedRows(join(cwd, 'keyed'))).map(({ again }) => again)).toEqual([
    '2001-02-03',
    '2001-02-04',
  ])
})

test('columns declared as dates or times are checked, and come out as they were', async () => {
  await copyThrough(topic('days', { value: json<Day>() }), { day: 'date', at: 'timestamp' })
  expect(copied()).toEqual([`${lines.join('\n')}\n`])
})

test('a schema makes dates of them, in keys too: moments, to the millisecond', async () => {
  const value = json(z.object({ day: z.date(), at: z.date(), n: z.int() }))
  await copyThrough(topic('days', { value, key: 'day' }) as never)
  expect(copied()).toEqual([
    [
      'day,at,n',
      '2001-02-03T00:00:00.000Z,2001-02-03T04:05:06.000Z,1',
      '2001-02-04T00:00:00.000Z,2001-02-03T02:05:06.789Z,2\n',
    ].join('\n'),
  ])
})
