import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, type PostgresServer } from '@millrace/connectors/testing'
import { json, type Log, open, pipeline, postgres, Producer, run, type Sink, topic } from 'millrace'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

interface Note {
  readonly id: number
  readonly text: string | null
}

let directory: string
let server: PostgresServer
let client: pg.Client
let log: Log
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-refused-'))
  server = await startPostgres({ directory: join(directory, 'postgres') })
  client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query('CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL)')
  log = await open(join(directory, 'log'))
  await log.createTopic({ name: 'notes' })
  const producer = new Producer(log, { value: json<Note>() })
  const texts = ['one', 'nul: \0', 'three', null, 'five']
  for (const [id, text] of texts.entries())
    void producer.send({ topic: 'notes', value: { id, text } })
  await producer.close()
})
afterAll(async () => {
  await log.close()
  await client.end()
  await server.stop()
  await rm(directory, { recursive: true })
})

const notes = topic('notes', { value: json<Note>() })
const build = () =>
  pipeline('refused', ({ from }) => {
    from(notes).to(postgres.table('notes', { url: server.url }))
  })

test('a row that its table refuses ends the run; nothing of its batch is written', async () => {
  await expect(run(build(), { log })).rejects.toMatchObject({ code: 'ROW_REFUSED' })
  expect((await client.query('SELECT * FROM notes')).rows).toEqual([])
})

test('with dead letters the others are written, and the refused ones kept as they were', async () => {
  expect(await run(build(), { log, onError: 'dead-letter' })).toMatchObject({
    skipped: 2,
    deadLetters: 2,
  })
  expect((await client.query('SELECT id FROM notes ORDER BY id')).rows).toEqual([
    { id: 0 },
    { id: 2 },
    { id: 4 },
  ])
  const letters = topic('refused-dead-letters', { value: json<Note>() })
  const seen: Note[] = []
  const collecting: Sink<Note> = {
    kind: 'sink',
    name: 'letters',
    guarantee: 'at-least-once',
    mode: 'append',
    open: async () => ({
      claim: async () => ({
        position: undefined,
        write: async ({ values }) => void seen.push(...(values as unknown as readonly Note[])),
        release: async () => {},
      }),
      close: async () => {},
    }),
  }
  const collect = pipeline('collect', ({ from }) => {
    from(letters).to(collecting)
  })
  await run(collect, { log })
  expect(seen.map(({ id }) => id)).toEqual([1, 3])
  expect(await run(build(), { log, onError: 'dead-letter' })).toMatchObject({ deadLetters: 0 })
})
