import { BatchWriter, FailedError, json, type Log, open } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { aggregate, count, keyBy, pipeline, run, topic } from '../index.ts'

// As many as make the topic between the stages worth a trim.
const RECORDS = 60_000

const words = topic('words', { value: json<string>() })
const counts = topic('counts', { value: json<{ words: number }>() })

const counting = pipeline('counting', ({ from }) => {
  from(words)
    .pipe(keyBy({ length: (word) => word.length }), aggregate({ words: count() }))
    .to(counts)
})

async function logOfWords(): Promise<Log> {
  const log = await open('/data', { ports: simulatedPorts() })
  await log.createTopic({ name: 'words' })
  const writer = new BatchWriter()
  for (let n = 0; n < RECORDS; n++) writer.append(null, '"word"', n)
  await log.append({ topic: 'words', partition: 0, batch: writer.finish() })
  return log
}

/** A log whose trims take their time, or fail. */
function withTrims(log: Log, trim: (really: () => Promise<number>) => Promise<number>): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'trim') {
        return (...at: Parameters<Log['trim']>) => trim(() => target.trim(...at))
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('a run ends when its trims have, so that none of them meets a closed log or a topic made anew', async () => {
  const log = await logOfWords()
  let begun = 0
  let ended = 0
  const slowly = withTrims(log, async (really) => {
    begun++
    await new Promise((resolve) => setTimeout(resolve, 100))
    const start = await really()
    ended++
    return start
  })
  await run(counting, { log: slowly })
  expect(begun).toBeGreaterThan(0)
  expect(ended).toBe(begun)
  await log.close()
})

test('a trim that fails ends the run, which has committed what it was of', async () => {
  const log = await logOfWords()
  const failing = withTrims(log, () =>
    Promise.reject(new FailedError('LOG_FAILED', 'The disk failed.')),
  )
  await expect(run(counting, { log: failing })).rejects.toMatchObject({ code: 'LOG_FAILED' })
  const { rows } = (await run(counting, { log })).stages[0] ?? { rows: -1 }
  expect(rows).toBeLessThan(RECORDS)
  await log.close()
})
