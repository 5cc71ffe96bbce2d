import { appendFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { Json, Source, SourceBatch } from '@millrace/processors'
import { expect, onTestFinished, test } from 'vitest'
import { csv } from '../csv/csv.ts'
import { ndjson } from '../ndjson/ndjson.ts'
import { temporaryFile } from '../testing/file-fixture.ts'

type Row = Record<string, unknown>

/** Reads on until it has so many rows; then the reader is closed, as by a crash. */
class Reading {
  readonly rows: Row[] = []
  position: Json | undefined
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #wanted = Promise.withResolvers<void>()
  #count = Infinity

  constructor(source: Source<Row>, position?: Json) {
    this.position = position
    this.#done = this.#read(source)
    this.#done.catch(() => this.#wanted.resolve())
    onTestFinished(() => this.#stop.abort())
  }

  async #read(source: Source<Row>): Promise<void> {
    const { position } = this
    const reader = await source.open({ position, signal: this.#stop.signal })
    try {
      for await (const batch of reader.batches()) this.#take(batch)
    } finally {
      await reader.close()
    }
  }

  #take(batch: SourceBatch<Row>): void {
    this.rows.push(...batch.rows)
    this.position = batch.position
    expect(batch.rowsRead).toBeGreaterThanOrEqual(this.rows.length)
    if (this.rows.length >= this.#count) this.#wanted.resolve()
  }

  /** Until that many rows are there. */
  async until(count: number): Promise<Row[]> {
    this.#count = count
    if (this.rows.length < count) await this.#wanted.promise
    this.#wanted = Promise.withResolvers()
    return this.rows
  }

  async stop(): Promise<Json | undefined> {
    this.#stop.abort()
    await this.#done
    return this.position
  }

  async failure(): Promise<unknown> {
    return this.#done.then(
      () => undefined,
      (error: unknown) => error,
    )
  }
}

const follow = (path: string) => ndjson<Row>(path, { follow: true })
const line = (n: number) => `{"n":${n}}\n`
const upTo = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))

test('what is appended is read, and half a line waits for its other half', async () => {
  const path = await temporaryFile(`${line(0)}{"n"`)
  const reading = new Reading(follow(path))
  expect(await reading.until(1)).toEqual(upTo(1))
  await appendFile(path, `:1}\n${line(2)}`)
  expect(await reading.until(3)).toEqual(upTo(3))
  await reading.stop()
})

test('a file that is renamed is read to its end, then the new one of its name', async () => {
  const path = await temporaryFile(line(0))
  const reading = new Reading(follow(path))
  await reading.until(1)
  await rename(path, `${path}.1`)
  await appendFile(`${path}.1`, line(1))
  await writeFile(path, line(4))
  // Whoever writes has the old one open for a while.
  await appendFile(`${path}.1`, `${line(2)}{"n":3}`)
  expect(await reading.until(5)).toEqual(upTo(5))
  await appendFile(path, line(5))
  expect(await reading.until(6)).toEqual(upTo(6))
  await reading.stop()
})

test('a file that was cut is read from its beginning again', async () => {
  const path = await temporaryFile(`${line(0)}${line(1)}`)
  const reading = new Reading(follow(path))
  await reading.until(2)
  await truncate(path, 0)
  await appendFile(path, line(2))
  expect(await reading.until(3)).toEqual(upTo(3))
  await reading.stop()
})

test('a later run goes on at the next line, whatever rotation has done meanwhile', async () => {
  const path = await temporaryFile(`${line(0)}${line(1)}`)
  const first = new Reading(follow(path))
  await first.until(2)
  const position = await first.stop()
  await appendFile(path, line(2))
  await utimes(path, 1000, 1000)
  await rename(path, `${path}.1`)
  await writeFile(path, line(3))
  await utimes(path, 2000, 2000)
  await rename(`${path}.1`, `${path}.2`)
  await rename(path, `${path}.1`)
  await writeFile(path, `${line(4)}{"n":`)
  const second = new Reading(follow(path), position)
  expect(await second.until(3)).toEqual(upTo(5).slice(2))
  const after = await second.stop()
  await appendFile(path, `5}\n`)
  const third = new Reading(follow(path), after)
  expect(await third.until(1)).toEqual([{ n: 5 }])
  await third.stop()
})

test('what was not read of a file that is gone is not passed over silently', async () => {
  const path = await temporaryFile(line(0))
  const first = new Reading(follow(path))
  await first.until(1)
  const position = await first.stop()
  await rename(path, `${path}.1`)
  await writeFile(path, line(9))
  await rm(`${path}.1`)
  await writeFile(`${path}.1.gz`, gzipSync(line(0)))
  const failure = await new Reading(follow(path), position).failure()
  expect(failure).toMatchObject({ code: 'INPUT_CHANGED' })
})

test('a compressed file is refused, as is a missing one', async () => {
  const path = await temporaryFile(gzipSync(line(0)))
  expect(await new Reading(follow(path)).failure()).toMatchObject({ code: 'INPUT_UNREADABLE' })
  expect(await new Reading(follow(`${path}-none`)).failure()).toMatchObject({
    code: 'INPUT_UNREADABLE',
  })
})

test('a line that is no JSON is named, in the file that it stands in', async () => {
  const path = await temporaryFile(`${line(0)}\nrubbish\n`)
  expect(await new Reading(follow(path)).failure()).toMatchObject({
    code: 'INPUT_MALFORMED',
    facts: { line: 3, byte: 9 },
  })
})

test('CSV is followed too: each file has its header, records may span lines, types are declared', async () => {
  const path = await temporaryFile('id;note\n1;"a\n', 'a.csv')
  const source = csv<Row>(path, { follow: true, columns: { id: 'int64' } })
  const first = new Reading(source)
  await appendFile(path, 'b"\n007;7\n')
  expect(await first.until(2)).toEqual([
    { id: 1, note: 'a\nb' },
    { id: 7, note: '7' },
  ])
  const position = await first.stop()
  await appendFile(path, '3;c\n')
  const second = new Reading(source, position)
  await second.until(1)
  await rename(path, `${path}.1`)
  await writeFile(path, 'note,id\nd,4\n')
  expect(await second.until(2)).toEqual([
    { id: 3, note: 'c' },
    { id: 4, note: 'd' },
  ])
  await second.stop()
})
