import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, map, type Log, open, pipeline, Producer, run, topic } from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Finished, millrace } from '../cli/run-command.ts'
import { type ReadBack, readAll } from './read-all.ts'

interface Order {
  readonly id: number
  readonly euros: number
}

const orders = topic('orders', { value: json<Order>(), partitions: 3 })
const prices = topic('prices', { value: json<{ id: number; cents: number }>(), partitions: 3 })

/** Refuses negative prices until it is mended. */
const shop = (isMended: boolean) =>
  pipeline('shop', ({ from }) => {
    from(orders)
      .pipe(
        map(
          ({ id, euros }) => {
            if (euros < 0 && !isMended) throw new Error(`a price of ${euros}`)
            return { id, cents: euros * 100 }
          },
          { name: 'cents' },
        ),
      )
      .to(prices)
  })

let cwd = ''
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'millrace-dlq-'))
})
afterEach(() => rm(cwd, { recursive: true }))

const dlq = (...words: string[]): Promise<Finished> => millrace(['dlq', ...words], { cwd })
const withLog = async <T>(work: (log: Log) => Promise<T>): Promise<T> => {
  const log = await open(join(cwd, 'millrace-data'))
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}
const all = (name: string): Promise<ReadBack[]> => withLog((log) => readAll(log, name))
const pass = (isMended: boolean) =>
  withLog((log) => run(shop(isMended), { log, onError: 'dead-letter' }))

/** Orders 0 to 9, of which 3, 6 and 9 have negative prices, with keys, headers and times of their own. */
async function sendOrders(): Promise<void> {
  await withLog(async (log) => {
    await log.createTopic({ name: 'orders', partitions: 3 })
    const producer = new Producer(log)
    for (let id = 0; id < 10; id += 1) {
      void producer.send({
        topic: 'orders',
        partition: id % 2,
        key: Buffer.from(`key ${id}`),
        value: Buffer.from(`{"id": ${id},  "euros":${id > 0 && id % 3 === 0 ? -id : id}}`),
        timestampMs: 1_000_000 + id,
        headers: [{ key: 'trace', value: Buffer.from(`t${id}`) }],
      })
    }
    await producer.close()
  })
}

const rowsOf = ({ stdout }: Finished): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('what was refused is listed by cause, and shown as it was, with what to do', async () => {
  await sendOrders()
  await pass(false)
  expect(rowsOf(await dlq('list'))).toEqual([
    {
      topic: 'shop-dead-letters',
      letters: 3,
      code: 'CALLBACK_FAILED',
      at: 'cents',
      first: expect.stringMatching(/^orders\[\d]@\d+$/) as unknown,
      example: expect.stringMatching(/^a price of -\d\.$/) as unknown,
    },
  ])
  const shown = rowsOf(await dlq('show', 'shop-dead-letters', '--cause', 'price of -3'))
  expect(shown).toMatchObject([
    {
      topic: 'orders',
      partition: 1,
      timestampMs: 1_000_003,
      key: 'key 3',
      value: { id: 3, euros: -3 },
      headers: [{ key: 'trace', value: 't3' }],
      code: 'CALLBACK_FAILED',
      redriven: 0,
    },
  ])
  const offset = Number(shown[0]?.['offset'])
  const text = await dlq('show', 'shop-dead-letters', '--offset', `1:${offset}`, '-o', 'text')
  expect(text.stdout).toMatch(/orders\[1]@\d+ {2}CALLBACK_FAILED at cents/)
  expect(text.stdout).toMatch(/value +\{"id": 3, {2}"euros":-3}/)
  expect(text.stdout).toMatch(/what to do +Correct the function/)
  expect((await dlq('show', 'shop-dead-letters', '-n', '1')).stderr).toContain(
    '2 more letters: -n 3',
  )
})

test('redriven records go back as they were, once; what is refused again can be told from the rest', async () => {
  await sendOrders()
  await pass(false)
  const before = await all('orders')
  const dry = await dlq('redrive', 'shop-dead-letters', '--dry-run')
  expect(dry).toMatchObject({ code: 0, stderr: '3 records would be sent to orders.\n' })
  expect(await all('orders')).toHaveLength(10)

  expect(await dlq('redrive', 'shop-dead-letters')).toMatchObject({ code: 0 })
  const sent = (await all('orders')).slice(10)
  const originals = before.filter(({ value }) => value?.includes('-'))
  const content = ({ partition, timestampMs, key, value }: ReadBack) => {
    return { partition, timestampMs, key, value }
  }
  expect(new Set(sent.map(content))).toEqual(new Set(originals.map(content)))
  expect(sent.map(({ headers }) => headers)).toEqual(
    sent.map(({ key }) => ({
      trace: `t${key?.at(-1)}`,
      'millrace.redriven': '1',
      'millrace.redriven-from': expect.stringMatching(/^orders\/[01]\/\d+\/cents$/) as unknown,
    })),
  )
  const again = await dlq('redrive', 'shop-dead-letters')
  expect(again).toMatchObject({ code: 0, stderr: 'No such dead letters in shop-dead-letters.\n' })

  expect(await pass(false)).toMatchObject({ deadLetters: 3 })
  expect(rowsOf(await dlq('show', 'shop-dead-letters'))).toMatchObject([
    { redriven: 1 },
    { redriven: 1 },
    { redriven: 1 },
  ])
  await dlq('redrive', 'shop-dead-letters')
  expect(await pass(true)).toMatchObject({ deadLetters: 0 })
  const cents = (await all('prices')).map(({ value }) => JSON.parse(value ?? '') as { id: number })
  expect(cents.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ])
})

test('only the letters chosen go, to the topic named', async () => {
  await sendOrders()
  await pass(false)
  await withLog((log) => log.createTopic({ name: 'repaired' }))
  expect(
    await dlq('redrive', 'shop-dead-letters', '--cause', 'price of -6', '--to', 'repaired'),
  ).toMatchObject({ code: 0, stderr: '1 record sent to repaired.\n' })
  expect((await all('repaired')).map(({ key }) => key)).toEqual(['key 6'])
  expect(rowsOf(await dlq('list'))).toMatchObject([{ letters: 2 }])
})

test('letters whose topic is gone are kept back, with what to do and exit code 3', async () => {
  await sendOrders()
  await pass(false)
  await withLog((log) => log.deleteTopic('orders'))
  const { code, stderr } = await dlq('redrive', 'shop-dead-letters')
  expect(code).toBe(3)
  expect(stderr).toMatch(/3 letters kept back.*--to TOPIC/)
  expect(rowsOf(await dlq('list'))).toMatchObject([{ letters: 3 }])
})

test('a wrong name is answered with the nearest; other topics hold no letters', async () => {
  await sendOrders()
  await pass(false)
  expect(await dlq('show', 'shop-dead-leters')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/Did you mean "shop-dead-letters"/) as unknown,
  })
  expect(await dlq('redrive', 'shop-dead-letters', '--to', 'priices')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no topic "priices"\. Did you mean "prices"/) as unknown,
  })
  expect(await dlq('show', 'orders')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/orders\[\d]@0 is no dead letter.*millrace dlq list/) as unknown,
  })
})
