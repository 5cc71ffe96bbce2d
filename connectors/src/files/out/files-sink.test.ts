import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@millrace/core/io'
import { nodeClock } from '@millrace/core/io'
import type { DeadLetter, Sink, SinkBatch } from '@millrace/processors'
import { expect, expectTypeOf, onTestFinished, test, vi } from 'vitest'
import { csvFormat } from '../csv/csv-format.ts'
import { csv } from '../csv/csv.ts'
import { parquetFormat } from '../parquet/parquet-format.ts'
import { parquet } from '../parquet/parquet.ts'
import { readRows } from '../testing/file-fixture.ts'
import { claimTask, filesSpec, numbers, writeRest } from '../testing/files-sink-fixture.ts'
import { type OutputDisk, nodeDisk } from './disk.ts'
import { pathRule } from './path-rule.ts'

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-sink-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return join(made, 'out')
}

/** Published files, relative and sorted. */
async function published(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
  return paths.filter((path) => !path.startsWith('.millrace')).toSorted()
}

const limits = { rollBytes: 1e9, rollRows: 1e9, rollMs: 1e9, openFilesMax: 64 }
const flat = { rule: pathRule(undefined, 'test'), limits }

function batch(offset: number, ...values: Record<string, unknown>[]): SinkBatch {
  return { size: values.length, keys: values.map(() => null), values, position: { offset } }
}

test('files are rolled by rows, and named after task and first offset', async () => {
  const root = await directory()
  const spec = filesSpec(root, { ...flat, limits: { ...limits, rollRows: 10 } })
  await writeRest(await claimTask(spec, nodeDisk), 30)
  expect(await published(root)).toEqual([
    't-0-00000000000000000000.ndjson',
    't-0-00000000000000000014.ndjson',
    't-0-00000000000000000028.ndjson',
  ])
})

test('files are rolled by size, and by time without another record', async () => {
  const root = await directory()
  const timers: (() => void)[] = []
  const clock: Clock = {
    ...nodeClock,
    schedule: (_delayMs, callback) => {
      timers.push(callback)
      return { cancel: () => timers.splice(timers.indexOf(callback), 1) }
    },
  }
  const spec = filesSpec(root, { ...flat, limits: { ...limits, rollBytes: 100 } })
  const task = await claimTask(spec, nodeDisk, {}, clock)
  await task.write(numbers(0, 20))
  expect(task.position).toEqual({ offset: 20 })
  await task.write(numbers(20, 21))
  expect(task.position).toEqual({ offset: 20 })
  expect(timers).toHaveLength(1)
  timers[0]?.()
  // The commit comes first, the names after it.
  await vi.waitFor(async () => expect(await published(root)).toHaveLength(2), 60_000)
  expect(task.position).toEqual({ offset: 21 })
  await task.release()
})

test('what was written and not flushed is nowhere to be seen, and comes again', async () => {
  const root = await directory()
  const spec = filesSpec(root, flat)
  const first = await claimTask(spec, nodeDisk)
  await first.write(numbers(0, 5))
  expect(first.position).toBeUndefined()
  await first.release()
  expect(await published(root)).toEqual([])
  const second = await claimTask(spec, nodeDisk)
  expect(second.position).toBeUndefined()
  await writeRest(second, 5)
  expect(await published(root)).toEqual(['t-0-00000000000000000000.ndjson'])
})

test('with more files than descriptors, each has all of its rows', async () => {
  const root = await directory()
  const spec = filesSpec(root, {
    format: csvFormat({ header: false }),
    rule: pathRule({ m: ({ n }) => Number(n) % 20 }, 'test'),
    limits: { ...limits, openFilesMax: 3 },
  })
  let open = 0
  let openMost = 0
  const counting: OutputDisk = {
    ...nodeDisk,
    async open(path, how) {
      const part = await nodeDisk.open(path, how)
      if (!path.endsWith('.part')) return part
      openMost = Math.max(openMost, ++open)
      return {
        write: (bytes, at) => part.write(bytes, at),
        sync: () => part.sync(),
        close: () => (open--, part.close()),
      }
    },
  }
  const task = await claimTask(spec, counting)
  // Enough text that files are written before they are closed.
  const pad = 'x'.repeat(20_000)
  const rows = (start: number) => Array.from({ length: 500 }, (_, i) => ({ n: start + i, pad }))
  for (let start = 0; start < 4000; start += 500)
    await task.write(batch(start + 500, ...rows(start)))
  await task.flush?.()
  await task.release()
  expect({ open, openMost: openMost <= 4 }).toEqual({ open: 0, openMost: true })
  const paths = await published(root)
  expect(paths).toHaveLength(20)
  for (const path of paths) {
    const text = await readFile(join(root, path), 'utf8')
    const found = text
      .split('\n')
      .filter(Boolean)
      .map((line) => Number(line.split(',')[0]))
    const m = Number(/m=(\d+)/.exec(path)?.[1])
    expect(found).toEqual(Array.from({ length: 200 }, (_, i) => i * 20 + m))
  }
})

test('without a schema a new column begins a new CSV file, and columns that were there stay', async () => {
  const root = await directory()
  const task = await claimTask(filesSpec(root, { ...flat, format: csvFormat() }), nodeDisk)
  await task.write(batch(1, { a: 1, b: 'x' }))
  await task.write(batch(2, { a: 2 }))
  await task.write(batch(3, { c: 3 }))
  await task.flush?.()
  await task.release()
  const paths = await published(root)
  expect(await Promise.all(paths.map((path) => readFile(join(root, path), 'utf8')))).toEqual([
    'a,b\n1,x\n2,\n',
    'a,b,c\n,,3\n',
  ])
})

test('a value that needs a wider type begins a new Parquet file', async () => {
  const root = await directory()
  const task = await claimTask(filesSpec(root, { ...flat, format: parquetFormat() }), nodeDisk)
  await task.write(batch(1, { a: 1 }))
  await task.write(batch(2, { a: 1.5 }))
  await task.write(batch(3, { a: 'x' }))
  await task.flush?.()
  await task.release()
  const paths = await published(root)
  const rows = await Promise.all(paths.map((path) => readRows(parquet(join(root, path)))))
  expect(rows).toEqual(
    [[{ a: 1n }], [{ a: 1.5 }], [{ a: 'x' }]].map((row) => [
      { a: typeof row[0]?.a === 'bigint' ? 1 : row[0]?.a },
    ]),
  )
})

test('a row that can go nowhere is a dead letter; without such a route, all before it is published', async () => {
  const root = await directory()
  const spec = filesSpec(root, { ...flat, rule: pathRule('n', 'test') })
  const long = 'x'.repeat(300)
  const failing = await claimTask(spec, nodeDisk)
  await failing.write(numbers(0, 2))
  const refused = failing.write(batch(5, { n: 2 }, { n: long }, { n: 3 }))
  await expect(refused).rejects.toMatchObject({ code: 'ROW_REFUSED', facts: { index: 1 } })
  await failing.release()
  const letters: DeadLetter[] = []
  const deadLetter = async (more: readonly DeadLetter[]): Promise<void> =>
    void letters.push(...more)
  const task = await claimTask(spec, nodeDisk, { deadLetter })
  expect(task.position).toEqual({ offset: 2 })
  await task.write(batch(5, { n: 2 }, { n: long }, { n: 3 }))
  await task.flush?.()
  await task.release()
  expect(letters).toMatchObject([{ index: 1, code: 'ROW_REFUSED' }])
  const directories = (await published(root)).map((path) => path.split('/')[0])
  expect(directories).toEqual(['n=0', 'n=1', 'n=2', 'n=3'])
})

test("another's file is never written over", async () => {
  const root = await directory()
  const spec = filesSpec(root, flat)
  await nodeDisk.makeDirectory(root)
  await writeFile(join(root, 't-0-00000000000000000000.ndjson'), 'mine')
  const task = await claimTask(spec, nodeDisk)
  await expect(task.write(numbers(0, 1))).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
  expect(await readFile(join(root, 't-0-00000000000000000000.ndjson'), 'utf8')).toBe('mine')
})

test('positions of another log are refused, and a damaged commit is named', async () => {
  const root = await directory()
  const spec = filesSpec(root, flat)
  await writeRest(await claimTask(spec, nodeDisk), 1)
  const claim = claimTask(spec, nodeDisk, { logId: 'other' })
  await expect(claim).rejects.toMatchObject({ code: 'SINK_OF_ANOTHER_LOG' })
  const state = join(root, '.millrace/test/ndjson-t-0')
  const newest = (await readdir(state)).toSorted().at(-1) ?? ''
  await writeFile(join(state, newest), '{"format":1,')
  await expect(claimTask(spec, nodeDisk)).rejects.toThrow(newest)
})

test('old commits are removed, claims by others are noticed at any distance', async () => {
  const root = await directory()
  const spec = filesSpec(root, { ...flat, limits: { ...limits, rollRows: 1 } })
  const asleep = await claimTask(spec, nodeDisk)
  await asleep.write(numbers(0, 1))
  await writeRest(await claimTask(spec, nodeDisk), 50, 1)
  expect((await readdir(join(root, '.millrace/test/ndjson-t-0'))).length).toBeLessThan(20)
  await expect(asleep.write(numbers(1, 2))).rejects.toMatchObject({ code: 'SINK_FENCED' })
  expect(await published(root)).toHaveLength(50)
})

test('a directory that cannot be made is said so', async () => {
  const root = await directory()
  await nodeDisk.makeDirectory(root)
  await writeFile(join(root, 'file'), '')
  const claim = claimTask(filesSpec(join(root, 'file', 'out'), flat), nodeDisk)
  await expect(claim).rejects.toMatchObject({ code: 'OUTPUT_UNWRITABLE' })
})

test('many that make the same directories at once all succeed', async () => {
  const deep = join(await directory(), 'a', 'b', 'c')
  await Promise.all(Array.from({ length: 20 }, () => nodeDisk.makeDirectory(deep)))
  expect(await readdir(deep)).toEqual([])
})

test('where no directory can be made at all, making one fails instead of going on for ever', async () => {
  await expect(nodeDisk.makeDirectory('/proc/nowhere/out')).rejects.toMatchObject({
    code: 'ENOENT',
  })
})

test('a full disk holds the writer back until there is room; a failed sync ends it', async () => {
  const root = await directory()
  let isFull = true
  let failsSync = false
  const notices: string[] = []
  const small: OutputDisk = {
    ...nodeDisk,
    async open(path, how) {
      const part = await nodeDisk.open(path, how)
      return {
        close: () => part.close(),
        async sync() {
          if (failsSync)
            throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'fdatasync' })
          await part.sync()
        },
        async write(bytes, position) {
          if (!isFull || !path.endsWith('.part')) return part.write(bytes, position)
          // Some of it has room.
          await part.write(bytes.subarray(0, 3), position)
          throw Object.assign(new Error('ENOSPC: no space left'), {
            code: 'ENOSPC',
            syscall: 'write',
          })
        },
      }
    },
  }
  const spec = filesSpec(root, { ...flat, limits: { ...limits, rollRows: 10 } })
  const task = await claimTask(spec, small, { notice: (message) => notices.push(message) })
  const written = task.write(numbers(0, 10))
  await vi.waitFor(() => expect(notices).toHaveLength(1), 60_000)
  expect(await published(root)).toEqual([])
  isFull = false
  await written
  expect(
    await readRows(csv(join(root, (await published(root))[0] ?? ''), { header: false, quote: '' })),
  ).toHaveLength(10)
  failsSync = true
  await expect(task.write(numbers(10, 20))).rejects.toMatchObject({ code: 'OUTPUT_FAILED' })
  await task.release()
  failsSync = false
  await writeRest(await claimTask(spec, small), 20)
  expect(await published(root)).toHaveLength(2)
})

test('whatever a position looks like, later files have other names', async () => {
  for (const positionOf of [(n: number) => ({ rows: n }), (n: number) => [n], (n: number) => n]) {
    const root = await directory()
    const spec = filesSpec(root, { ...flat, limits: { ...limits, rollRows: 1 } })
    for (const run of [0, 1]) {
      const task = await claimTask(spec, nodeDisk)
      for (const n of [1, 2])
        await task.write({ ...numbers(0, 1), position: positionOf(run * 2 + n) })
      await task.release()
    }
    expect(await published(root)).toHaveLength(4)
  }
})

test('a sink asks for the columns that its paths name, of every row', () => {
  const sink = csv.files('out', { partitionBy: { dt: { day: 'at' }, city: 'city' } })
  expectTypeOf(sink).toEqualTypeOf<Sink<Readonly<Record<'at' | 'city', unknown>>>>()
  expectTypeOf(parquet.files('out')).toEqualTypeOf<Sink<Readonly<Record<never, unknown>>>>()
})

test('options that make no sense are refused at once', () => {
  expect(() => csv.files('')).toThrow('csv.files: its directory must be text that is not empty')
  expect(() => csv.files('out', { rollMs: 0 })).toThrow('rollMs')
  expect(() => csv.files('out', { delimiter: '::' })).toThrow('delimiter')
  expect(parquet.files('a/out')).toMatchObject({
    name: 'parquet out',
    guarantee: 'exactly-once',
    mode: 'append',
  })
})
