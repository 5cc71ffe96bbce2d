import { run } from 'millrace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cause, causes } from './causes.ts'
import { Workshop } from './workshop.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await Workshop.open()
})
afterAll(() => shop.close())

const SINGLE_ROWS = 300
const BURST_ROWS = 3_000

/** One among the first rows; then some in a row, and some here and there. */
function isBad(id: number): boolean {
  if (id < SINGLE_ROWS) return id === 117
  return (id >= 700 && id < 900) || id % 23 === 5 || id === SINGLE_ROWS + BURST_ROWS - 1
}

let tables = 0

describe.each(['append', 'upsert'] as const)('%s', (mode) => {
  test.for(causes)(
    '$name: these rows alone go to the dead letters, as they were',
    async (cause) => {
      const name = `t${(tables += 1)}`
      await shop.query(cause.ddl(name))
      const row = (id: number) => `{"id":${id}, "v" : ${isBad(id) ? cause.bad : cause.good(id)}}`
      await shop.send(name, SINGLE_ROWS, row)
      const pipeline = shop.pipeline(name, mode)
      expect(await run(pipeline, { log: shop.log, onError: 'dead-letter' })).toMatchObject({
        deadLetters: 1,
      })
      await shop.send(name, BURST_ROWS, row, SINGLE_ROWS)
      await run(pipeline, { log: shop.log, onError: 'dead-letter' })

      const all = Array.from({ length: SINGLE_ROWS + BURST_ROWS }, (_, id) => id)
      const letters = await shop.letters(name)
      expect([...letters.keys()].toSorted((a, b) => a - b)).toEqual(all.filter(isBad))
      for (const [id, letter] of letters) expectLetter(name, id, row(id), letter, cause)
      const good = all.filter((id) => !isBad(id))
      const [found] = await shop.query(
        `SELECT count(*)::int AS count, sum(id)::int AS sum FROM ${name} WHERE id >= 0`,
      )
      expect(found).toEqual({ count: good.length, sum: good.reduce((sum, id) => sum + id, 0) })
    },
  )
})

function expectLetter(
  name: string,
  id: number,
  value: string,
  letter: Awaited<ReturnType<Workshop['letters']>> extends Map<number, infer L> ? L : never,
  { code, constraint }: Cause,
): void {
  expect(letter.key).toMatch(new RegExp(`^${name}/0/${id}/.*${name}`))
  expect(letter.value).toBe(value)
  expect(letter.timestampMs).toBe(id)
  expect(letter.headers).toMatchObject({
    'millrace.code': expect.stringMatching(code) as unknown,
    'millrace.cause': expect.stringMatching(/\S/) as unknown,
    'millrace.topic': name,
    'millrace.partition': '0',
    'millrace.offset': String(id),
    'millrace.timestamp': String(id),
    'millrace.key': `k ${id}`,
    trace: String(id),
  })
  if (constraint !== undefined) {
    expect(letter.headers['millrace.constraint']).toMatch(new RegExp(`${constraint}$`))
  }
}
