import { json, map, mapAsync, pipeline, run, topic } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readAll } from './read-all.ts'
import { Workshop } from './workshop.ts'

let shop: Workshop
beforeAll(async () => {
  shop = await Workshop.open()
})
afterAll(() => shop.close())

interface Row {
  readonly id: number
}

test('a refused tombstone is a letter like any other, and goes back as a tombstone', async () => {
  const { log } = shop
  await shop.query('CREATE TABLE stones (id int)')
  await log.createTopic({ name: 'stones' })
  const { Producer, redrive } = await import('millrace')
  const producer = new Producer(log)
  await producer.send({ topic: 'stones', key: Buffer.from('k'), value: null, timestampMs: 5 })
  await producer.close()
  const result = await run(shop.pipeline('stones', 'append'), { log, onError: 'dead-letter' })
  expect(result.deadLetters).toBe(1)
  expect(await redrive(log, 'stones-dead-letters')).toMatchObject({ sent: { stones: 1 } })
  const records = await readAll(log, 'stones')
  expect(records.map(({ key, value, timestampMs }) => ({ key, value, timestampMs }))).toEqual([
    { key: 'k', value: null, timestampMs: 5 },
    { key: 'k', value: null, timestampMs: 5 },
  ])
})

test('a call that fails after its record has left memory leaves the record in the letter, byte for byte', async () => {
  const { log } = shop
  const calls = topic('calls', { value: json<Row>() })
  const answers = topic('answers', { value: json<Row>() })
  await shop.send('calls', 200, (id) => `{ "id" : ${id} }`)
  const calling = pipeline('calling', ({ from }) => {
    from(calls)
      .pipe(
        mapAsync(
          async (row) => {
            await new Promise((resolve) => setTimeout(resolve, 5))
            if (row.id % 50 === 7) throw new Error('busy')
            return row
          },
          { concurrency: 64 },
        ),
      )
      .to(answers)
  })
  expect(await run(calling, { log, onError: 'dead-letter' })).toMatchObject({ deadLetters: 4 })
  const letters = await shop.letters('calling')
  expect(
    [...letters.values()].map(({ key, value, headers }) => [key, value, headers['trace']]),
  ).toEqual(
    [7, 57, 107, 157].map((id) => [
      expect.stringContaining(`calls/0/${id}/`) as unknown,
      `{ "id" : ${id} }`,
      String(id),
    ]),
  )
})

test('records with large headers share their batches with others, and none is lost', async () => {
  const { log } = shop
  const tags = topic('tags', { value: json<Row>() })
  const copies = topic('copies', { value: json<Row>(), config: { maxMessageBytes: 20_000 } })
  await log.createTopic({ name: 'tags' })
  const { Producer } = await import('millrace')
  const producer = new Producer(log)
  for (let id = 0; id < 40; id += 1) {
    const headers = [{ key: 'tag', value: Buffer.alloc(3_000) }]
    void producer.send({ topic: 'tags', value: Buffer.from(`{"id":${id}}`), headers })
  }
  await producer.close()
  const copying = pipeline('copying', ({ from }) => {
    from(tags)
      .pipe(map((row) => row))
      .to(copies)
  })
  expect(await run(copying, { log, onError: 'skip' })).toMatchObject({ skipped: 0 })
  expect(await readAll(log, 'copies')).toHaveLength(40)
})

test('a run that may have few dead letters ends before it has more; nothing of that batch is written', async () => {
  const { log } = shop
  await shop.query('CREATE TABLE few (id int PRIMARY KEY, v int CHECK (v < 100))')
  await shop.send('few', 500, (id) => `{"id":${id},"v":${id % 100 === 7 ? 100 : 1}}`)
  const options = { log, onError: 'dead-letter' } as const
  await expect(
    run(shop.pipeline('few', 'append'), { ...options, deadLettersMax: 4 }),
  ).rejects.toMatchObject({
    code: 'TOO_MANY_DEAD_LETTERS',
    message: expect.stringMatching(
      /postgres few: more than 4 dead letters.*few_v_check.*--max-dead-letters/,
    ) as unknown,
  })
  expect(await shop.query('SELECT * FROM few')).toEqual([])
  const result = await run(shop.pipeline('few', 'append'), { ...options, deadLettersMax: 5 })
  expect(result.deadLetters).toBe(5)
})

test('when nothing passes at all the run says so', async () => {
  const { log } = shop
  await shop.query('CREATE TABLE never (id int CHECK (id < 0))')
  await shop.send('never', 2_000, (id) => `{"id":${id}}`)
  const notices: string[] = []
  const onNotice = (notice: string) => void notices.push(notice)
  const result = await run(shop.pipeline('never', 'append'), {
    log,
    onError: 'dead-letter',
    onNotice,
  })
  expect(result.deadLetters).toBe(2_000)
  expect(
    notices.filter((notice) => notice.includes('a record went to never-dead-letters')),
  ).toHaveLength(1)
  expect(notices.at(-1)).toMatch(/not one of 2000 records has passed.*never_id_check.*right table/)
})

test('a column that is dropped dead-letters nothing: the run ends', async () => {
  const { log } = shop
  await shop.query('CREATE TABLE lessened (id int, v int)')
  await shop.send('lessened', 100, (id) => `{"id":${id},"v":1}`)
  await run(shop.pipeline('lessened', 'append'), { log, onError: 'dead-letter' })
  await shop.query('ALTER TABLE lessened DROP COLUMN v')
  await shop.send('lessened', 100, (id) => `{"id":${id},"v":1}`, 100)
  await expect(
    run(shop.pipeline('lessened', 'append'), { log, onError: 'dead-letter' }),
  ).rejects.toMatchObject({
    code: 'TABLE_MISMATCH',
  })
  expect(await shop.letters('lessened')).toEqual(new Map())
})
