import { readFileSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pipelineScript, Workplace } from './workplace.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

/** Text of all the files that a sink wrote. */
function written(directory: string): string {
  const names = readdirSync(place.path(directory)).filter((name) => !name.startsWith('.'))
  return names.map((name) => readFileSync(place.path(`${directory}/${name}`), 'utf8')).join('')
}

/** Puts lines into the topic `rows` as another program would: as they are. */
async function produce(...lines: string[]): Promise<void> {
  const stdin = lines.map((line) => `${line}\n`).join('')
  expect((await place.millrace(['topic', 'create', 'rows'])).code).toBe(0)
  expect((await place.millrace(['produce', 'rows'], { stdin })).code).toBe(0)
}

const good = ['{"id":9007199254740991}', '{"id":"9007199254740993"}', '{"id":1.5e+300}']
const changed = ['{"id":9007199254740993}', '{"id":1,"deep":[-9007199254740993]}', '{"id":1e400}']

test('numbers that JavaScript would change are dead letters: no two keys become one, no row is lost', async () => {
  await produce(...good, ...changed)
  const step = "keyBy('id' as never), count()"
  place.write('job.ts', pipelineScript({ step, sink: "ndjson.files('out')" }))
  const stopped = await place.run('job.ts')
  expect(stopped.code).toBe(1)
  expect(stopped.stderr).toContain('rows[0]@3')
  expect(stopped.stderr).toContain('$.id is the bigint 9007199254740993')
  expect(stopped.stderr).toContain('z.bigint()')
  expect((await place.run('job.ts', ['--on-error', 'dead-letter'])).code).toBe(3)
  const lines = written('out').split('\n').slice(0, -1)
  expect(lines.toSorted()).toEqual(good.map((line) => line.replace('}', ',"count":1}')).toSorted())
  const letters = 'consume job-dead-letters --from-beginning --exit -o value'
  const { stdout } = await place.millrace(letters.split(' '))
  expect(stdout.split('\n').slice(0, -1).toSorted()).toEqual(changed.toSorted())
})

test('a schema with bigints brings them through, and rounds only the fraction of a double', async () => {
  const schema = 'value: json(z.object({ id: z.bigint(), d: z.number() })) as any'
  await produce('{"id":9007199254740993,"d":0.1234567890123456789}')
  place.write('job.ts', pipelineScript({ topic: schema, sink: "ndjson.files('out')" }))
  expect((await place.run('job.ts')).code).toBe(0)
  expect(written('out')).toBe('{"id":9007199254740993,"d":0.12345678901234568}\n')
})

test('a promise where a value should be ends the run, which says mapAsync; nothing of it is stored', async () => {
  await produce('{"id":1}')
  for (const step of ['map(async (v: any) => v)', 'filter((async () => false) as any)']) {
    place.write('job.ts', pipelineScript({ step }))
    const { code, stderr } = await place.run('job.ts', ['--on-error', 'dead-letter'])
    expect(stderr).toContain('mapAsync')
    expect(code).toBe(2)
  }
  place.write('job.ts', pipelineScript({ step: 'map((v: any) => ({ id: Promise.resolve(v) }))' }))
  const { code, stderr } = await place.run('job.ts')
  expect(stderr).toContain('$.id is a Promise')
  expect(code).toBe(1)
  expect(await place.values('out')).toEqual([])
})
