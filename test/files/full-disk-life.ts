// Argument 1: a directory on a small disk. The log lies elsewhere; files go to the small disk, which is
// full until the pipeline has said that it waits.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generate, json, ndjson, open, pipeline, run, topic } from 'millrace'
import { expectThat } from '../faults/expect-that.ts'
import { leftovers, publishedFiles, publishedIds } from './published.ts'

const COUNT = 40_000
const [, , disk = ''] = process.argv
const out = join(disk, 'out')
const filler = join(disk, 'filler')
const orders = topic('orders', { value: json<{ id: number; note: string }>() })

const toFiles = pipeline('to-files', ({ from }) => {
  from(generate({ count: COUNT, record: (id) => ({ id, note: 'x'.repeat(100) }) })).to(orders)
  from(orders).to(ndjson.files(out, { rollRows: 5000 }))
})

const directory = mkdtempSync(join(tmpdir(), 'millrace-full-out-'))
const log = await open(directory)
try {
  // Room for about one file.
  writeFileSync(filler, Buffer.alloc(7 * 1024 * 1024))
  const notices: string[] = []
  const running = run(toFiles, { log, onNotice: (notice) => notices.push(notice) })
  while (!notices.some((notice) => notice.includes('no room'))) {
    await Promise.race([sleep(20), running])
  }
  const seen = await publishedIds(out)
  expectThat(seen.length < COUNT, 'the disk never was full')
  expectThat(new Set(seen).size === seen.length, 'a row is published twice while the disk is full')
  rmSync(filler)
  await running
  const all = await publishedIds(out)
  expectThat(
    all.length === COUNT && all.every((id, i) => id === i),
    'not every row once in the end',
  )
  expectThat(
    publishedFiles(out).length > 1 && leftovers(out).length === 0,
    'something is left over',
  )
} finally {
  await log.close()
  rmSync(directory, { recursive: true })
}
