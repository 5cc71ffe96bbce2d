import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { open, Producer, string, type Compression } from '@millrace/core'
import { afterAll, describe, expect, test } from 'vitest'

const jars = process.env['KAFKA_JARS'] ?? join(import.meta.dirname, '../../.cache/kafka-4.1.0')
const missing = existsSync(jars)
  ? ''
  : ` (skipped: no Kafka jars in ${jars}; .ci/run fetches them from Maven)`
const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What Kafka's own DumpLogSegments says of one of our files. */
async function dump(file: string): Promise<string> {
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.DumpLogSegments']
  const { stdout } = await promisify(execFile)('java', [
    ...tool,
    '--deep-iteration',
    '--print-data-log',
    '--files',
    file,
  ])
  return stdout
}

describe.skipIf(missing)(`Apache Kafka's dump tool reads our segments${missing}`, () => {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies Compression[]) {
    test(`written with compression ${compression}`, async () => {
      const log = await open(join(directory, compression))
      await log.createTopic({ name: 'words' })
      const producer = new Producer(log, { compression })
      const sent = Array.from({ length: 300 }, (_, i) => `value-${i}-${'x'.repeat(i % 50)}`)
      await Promise.all(
        sent.map((value, i) =>
          producer.send({
            topic: 'words',
            key: string.serialize(`key-${i}`),
            value: string.serialize(value),
            timestampMs: 1_000_000_000_000 + i,
          }),
        ),
      )
      await producer.close()
      await log.close()

      const segment = join(directory, compression, 'words-0', '00000000000000000000.log')
      const text = await dump(segment)
      expect(text).toContain(`compresscodec: ${compression}`)
      expect(text).not.toContain('isvalid: false')
      const read = [...text.matchAll(/\| offset: (\d+) .*?key: (\S+) payload: (\S+)/g)]
      expect(read.map((found) => [Number(found[1]), found[2], found[3]])).toEqual(
        sent.map((value, i) => [i, `key-${i}`, value]),
      )
    })
  }

  test('and finds our indexes in agreement with them', async () => {
    const partition = join(directory, 'zstd', 'words-0')
    for (const name of readdirSync(partition).filter((file) => file.endsWith('index'))) {
      const text = await dump(join(partition, name))
      expect(text).not.toMatch(/mismatch|corrupt|out of order/i)
    }
  })
})
