import { BatchWriter, FailedError, json, type Log, open } from '@millrace/core'
import { simulatedPorts } from '@millrace/core/testing'
import { expect, test } from 'vitest'
import { map, pipeline, run, type Source, topic } from '../index.ts'

const words = topic('words', { value: json<string>() })
const lengths = topic('lengths', { value: json<number>() })

/** Its commits fail, as those of a log whose disk has failed. */
function withoutCommits(log: Log): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'endTransaction') {
        return () => Promise.reject(new FailedError('LOG_FAILED', 'The disk failed.'))
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('a commit that fails ends a run that follows its input, though nothing more comes', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  await log.createTopic({ name: 'words' })
  const writer = new BatchWriter()
  writer.append(null, '"one"', 0)
  await log.append({ topic: 'words', partition: 0, batch: writer.finish() })
  const counting = pipeline('lengths', ({ from }) => {
    from(words)
      .pipe(map((word) => word.length))
      .to(lengths)
  })
  const running = run(counting, { log: withoutCommits(log), follow: true })
  await expect(running).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await log.close()
})

test('so does one of a source that gives nothing more', async () => {
  const log = await open('/data', { ports: simulatedPorts() })
  const endless: Source<string> = {
    kind: 'source',
    name: 'endless',
    bounded: false,
    open: async ({ signal }) => ({
      total: {},
      async *batches() {
        yield { rows: ['one'], position: 1, bytesRead: 1, rowsRead: 1 }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
      close: async () => {},
    }),
  }
  const reading = pipeline('reading', ({ from }) => {
    from(endless).to(words)
  })
  const running = run(reading, { log: withoutCommits(log) })
  await expect(running).rejects.toMatchObject({ code: 'LOG_FAILED' })
  await log.close()
})
