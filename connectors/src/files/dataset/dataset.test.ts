import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, onTestFinished, test } from 'vitest'
import { csv } from '../csv/csv.ts'
import { ndjson } from '../ndjson/ndjson.ts'
import { parquet } from '../parquet/parquet.ts'
import { readBatches, readRows } from '../testing/file-fixture.ts'

/** A directory of these files. */
async function directoryOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-dataset-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) await put(join(root, name), content)
  return root
}

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}

const line = (n: number): string => `${JSON.stringify({ n })}\n`

test('the files of a directory are read in order of their names, with the columns of their directories', async () => {
  const ofParquet = (n: number) =>
    new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: 'n', type: 'INT32' as const, data: [n] }] }),
    )
  const root = await directoryOf({
    'year=2002/city=a%2Fb/x.ndjson': line(3),
    'year=2001/city=Oslo/y.ndjson.gz': line(2),
    'year=2001/city=100% of it/x.jsonl': line(1),
    'year=2001/city=__HIVE_DEFAULT_PARTITION__/x.ndjson': line(4),
    'year=2001/n=7/z.ndjson': line(5),
    'year=2003/x.csv': 'n\n6\n',
    'year=2004/x.parquet': ofParquet(7),
    // What is under way, or no data.
    '.millrace/p/x.ndjson': line(8),
    '_temporary/x.ndjson': line(9),
    'README.md': 'what this is',
  })
  expect(await readRows(ndjson(root))).toEqual([
    { year: '2001', city: '100% of it', n: 1 },
    { year: '2001', city: 'Oslo', n: 2 },
    { year: '2001', city: null, n: 4 },
    // What the file itself says goes before.
    { year: '2001', n: 5 },
    { year: '2002', city: 'a/b', n: 3 },
  ])
  expect(await readRows(csv(root))).toEqual([{ year: '2003', n: 6 }])
  expect(await readRows(parquet(root))).toEqual([{ year: '2004', n: 7 }])
})

test('CSV columns have the types of the first file in all of them, also after a resume', async () => {
  const root = await directoryOf({
    'a.csv': 'n,t\n1,\n',
    'b.csv': 't,n\n7,2\n',
    'c.csv': 'n,t\nx,8\n',
  })
  const batches = await readBatches(csv(root, { limit: 2 }))
  const rows = [
    { n: 1, t: null },
    { t: '7', n: 2 },
  ]
  expect(batches.flatMap((batch) => batch.rows)).toEqual(rows)
  for (const position of [undefined, batches[0]?.position, batches[1]?.position]) {
    await expect(readRows(csv(root), position)).rejects.toThrow(
      /c\.csv, line 2 .*column n: "x" is no int64.*declare the type/,
    )
  }
})

test('a pattern stands for what fits it; a file of such a name for itself', async () => {
  const root = await directoryOf({
    'b.log': line(2),
    'a.log': line(1),
    '.hidden.log': line(3),
    'deep/year=2001/c.log': line(4),
    'odd[1].ndjson': line(5),
  })
  expect(await readRows(ndjson(join(root, '*.log')))).toEqual([{ n: 1 }, { n: 2 }])
  expect(await readRows(ndjson(join(root, '**/*.log')))).toEqual([
    { n: 1 },
    { n: 2 },
    { year: '2001', n: 4 },
  ])
  expect(await readRows(ndjson(join(root, 'odd[1].ndjson')))).toEqual([{ n: 5 }])
  await expect(readRows(csv(root))).rejects.toThrow('no csv file in this directory')
  await expect(readRows(csv(join(root, '*.csv')))).rejects.toThrow('no file fits it')
})

test('links that lead in circles double nothing, and one that leads nowhere is a file that is missing', async () => {
  const root = await directoryOf({ 'a/x.ndjson': line(1), 'n=3/y.ndjson': '{}\n' })
  const elsewhere = await directoryOf({ 'z.ndjson': line(2) })
  await symlink('..', join(root, 'a/up'))
  await symlink('../n=3', join(root, 'a/latest'))
  await symlink('.', join(root, 'itself'))
  await symlink(elsewhere, join(root, 'm=4'))
  expect(await readRows(ndjson(root))).toEqual([{ n: 1 }, { m: '4', n: 2 }, { n: '3' }])
  await symlink('/nowhere', join(root, 'notes'))
  expect(await readRows(ndjson(root))).toHaveLength(3)
  await symlink('/nowhere', join(root, 'lost.ndjson'))
  await expect(readRows(ndjson(root))).rejects.toThrow(/lost\.ndjson: no such file/)
})

test('a directory of a column whose name begins with _ is read, as it is written', async () => {
  const root = await directoryOf({
    '_id=7/x.ndjson': line(1),
    '_SUCCESS.ndjson': line(8),
    '.n=7/x.ndjson': line(9),
  })
  expect(await readRows(ndjson(root))).toEqual([{ _id: '7', n: 1 }])
})

test('every position yields exactly the rest, whatever came behind the last file since', async () => {
  const many = (from: number, count: number): string =>
    Array.from({ length: count }, (_, i) => line(from + i)).join('')
  const root = await directoryOf({
    'a.ndjson': many(0, 40_000),
    'b.ndjson': '',
    'c.ndjson': many(40_000, 10),
  })
  const batches = await readBatches(ndjson(root))
  expect(batches.length).toBeGreaterThan(2)
  const reader = await ndjson(root).open({
    position: undefined,
    signal: new AbortController().signal,
  })
  expect(batches.at(-1)?.bytesRead).toBe(reader.total.bytes)
  await reader.close()
  await put(join(root, 'd.ndjson'), line(40_010))
  let read = 0
  for (const { rows, rowsRead, position } of batches) {
    read += rows.length
    expect(rowsRead).toBe(read)
    const rest = (await readRows(ndjson(root), position)).map(({ n }) => n)
    expect(rest).toEqual(Array.from({ length: 40_011 - read }, (_, i) => read + i))
  }
  expect(await readRows(ndjson(root, { limit: 40_002 }))).toHaveLength(40_002)
  const part = (await readBatches(ndjson(root, { limit: 40_002 }))).at(-1)
  expect((await readRows(ndjson(root), part?.position))[0]).toEqual({ n: 40_002 })
})

test('a file that comes, goes or changes among those that were read is refused', async () => {
  const root = await directoryOf({ 'b.ndjson': line(1), 'd.ndjson': line(2), 'e.ndjson': line(3) })
  const position = (await readBatches(ndjson(root)))[1]?.position
  const refused = { code: 'INPUT_CHANGED' }
  await put(join(root, 'c.ndjson'), line(9))
  await expect(readRows(ndjson(root), position)).rejects.toMatchObject(refused)
  await rm(join(root, 'c.ndjson'))
  expect(await readRows(ndjson(root), position)).toEqual([{ n: 3 }])
  // As many as before, and one of them was never read.
  await put(join(root, 'a.ndjson'), line(8))
  await rm(join(root, 'b.ndjson'))
  await expect(readRows(ndjson(root), position)).rejects.toThrow('some came, went or have')
  await rm(join(root, 'a.ndjson'))
  await put(join(root, 'b.ndjson'), line(1))
  expect(await readRows(ndjson(root), position)).toEqual([{ n: 3 }])
  await put(join(root, 'd.ndjson'), line(7))
  await expect(readRows(ndjson(root), position)).rejects.toMatchObject(refused)
  await rm(join(root, 'd.ndjson'))
  await expect(readRows(ndjson(root), position)).rejects.toMatchObject(refused)
  // A position in one file is none in several, nor the other way round.
  const one = (await readBatches(ndjson(join(root, 'b.ndjson'))))[0]?.position
  await expect(readRows(ndjson(root), one)).rejects.toMatchObject(refused)
  await expect(readRows(ndjson(join(root, 'b.ndjson')), position)).rejects.toMatchObject(refused)
})
