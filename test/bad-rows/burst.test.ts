import { run } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Workshop } from './workshop.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await Workshop.open()
})
afterAll(() => shop.close())

/** Every 400th row is bad in one of these ways, and a run of thousands refers to nothing. */
const ways = [
  { code: '22P02', fields: '"v":"x","p":1,"t":""' },
  { code: '23514', fields: '"v":100,"p":1,"t":""' },
  { code: '23503', fields: '"v":1,"p":9,"t":""' },
  { code: '22021', fields: String.raw`"v":1,"p":1,"t":"\u0000"` },
  { code: '22001', fields: '"v":1,"p":1,"t":"longer than nine"' },
]
const good = '"v":1,"p":1,"t":"text"'
const dangling = ways[2]

function wayOf(id: number): (typeof ways)[number] | undefined {
  if (id >= 70_000 && id < 72_500) return dangling
  return id % 400 === 7 ? ways[Math.floor(id / 400) % ways.length] : undefined
}

test.for([
  ['append', 1_000_000],
  ['upsert', 250_000],
] as const)('%s: thousands of bad rows among %i are found, and no other', async ([mode, count]) => {
  await shop.query(
    `CREATE TABLE ${mode}_parent (id int PRIMARY KEY); INSERT INTO ${mode}_parent VALUES (1);
     CREATE TABLE ${mode} (id int PRIMARY KEY, v int CHECK (v < 100), p int REFERENCES ${mode}_parent, t varchar(9))`,
  )
  const row = (id: number) => `{"id":${id},${wayOf(id)?.fields ?? good}}`
  await shop.send(mode, count, row)
  const { elapsedMs, deadLetters } = await run(shop.pipeline(mode, mode), {
    log: shop.log,
    onError: 'dead-letter',
  })
  console.log(
    `${mode}: ${count} rows, ${deadLetters} of them bad, in ${(elapsedMs / 1000).toFixed(1)} s`,
  )

  const letters = await shop.letters(mode)
  const expected = { letters: 0, rows: 0, sum: 0 }
  for (let id = 0; id < count; id += 1) {
    const way = wayOf(id)
    if (way === undefined) {
      expected.rows += 1
      expected.sum += id
      continue
    }
    expected.letters += 1
    const letter = letters.get(id)
    if (letter?.value !== row(id) || letter.headers['millrace.code'] !== way.code) {
      expect(letter, `row ${id}`).toMatchObject({
        value: row(id),
        headers: { 'millrace.code': way.code },
      })
    }
  }
  expect(letters.size).toBe(expected.letters)
  expect(
    await shop.query(`SELECT count(*)::int AS rows, sum(id)::float8 AS sum FROM ${mode}`),
  ).toEqual([{ rows: expected.rows, sum: expected.sum }])
})
