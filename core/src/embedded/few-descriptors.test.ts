import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-descriptors-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const script = `
  import { readdirSync } from 'node:fs'
  import { open, Producer } from '@millrace/core'
  const log = await open(process.argv[1])
  const topics = await log.listTopics()
  if (topics.length === 0) await log.createTopic({ name: 't', partitions: 120, config: { segmentBytes: 1024 } })
  const producer = new Producer(log)
  const sent = []
  for (let round = 0; round < 4; round++) {
    for (let partition = 0; partition < 120; partition++) {
      sent.push(producer.send({ topic: 't', partition, value: 'x'.repeat(400) }))
    }
    await Promise.all(sent)
  }
  await producer.close()
  let batches = 0
  for (let partition = 0; partition < 120; partition++) {
    let position = { offset: 0, leaderEpoch: -1 }
    for (;;) {
      const target = { topic: 't', partition, position, maxBytes: 1e6 }
      const { partitions: [fetched] } = await log.fetch({ isolation: 'read_committed', maxWaitMs: 0, maxBytes: 1e6, partitions: [target] })
      if (fetched.error) throw new Error(JSON.stringify(fetched.error))
      if (fetched.nextOffset === position.offset) break
      position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
    }
    batches += position.offset
  }
  console.log(batches, readdirSync('/proc/self/fd').length < 100)
  if (process.argv[2] === 'kill') process.kill(process.pid, 'SIGKILL')
  await log.close()
`

function run(how: 'kill' | 'close'): string {
  const node = [process.execPath, '--input-type=module', '-e', script, directory, how]
  const quoted = node.map((part) => `'${part.replaceAll("'", `'\\''`)}'`).join(' ')
  const cwd = join(import.meta.dirname, '../..')
  const { stdout, stderr } = spawnSync('sh', ['-c', `ulimit -n 100 && exec ${quoted}`], { cwd })
  return `${stdout.toString()}${stderr.toString()}`
}

test('a process that gets 100 files serves 120 partitions of several segments each, over a kill −9 and a close', () => {
  expect(run('kill')).toBe('480 true\n')
  expect(run('close')).toBe('960 true\n')
  expect(run('close')).toBe('1440 true\n')
})
