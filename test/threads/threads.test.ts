import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BatchReader,
  FailedError,
  type Log,
  open,
  RejectedError,
  run,
  type RunOptions,
  UsageError,
} from 'millrace'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { launcher, node } from '../cli/run-command.ts'
import pipeline, { lateEvery, readings } from './measured.ts'

const script = join(import.meta.dirname, 'measured.ts')

let directory: string
let log: Log
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-run-threads-'))
  log = await open(directory, { thread: true })
})
afterEach(async () => {
  delete process.env['MEASURED_MODE']
  await log.close()
  await rm(directory, { recursive: true, force: true })
})

function runIn(threads: number, options: Partial<RunOptions> = {}) {
  return run(pipeline, { log, threads, script, ...options })
}

test('a run leaves the same in its topics, however many threads it is divided among', async () => {
  const one = await runIn(1)
  const expected = await lastPerKey(log)
  for (const threads of [2, 5]) {
    await startAfresh()
    const many = await runIn(threads)
    expect(await lastPerKey(log), `${threads} threads`).toEqual(expected)
    expect(countsOf(many)).toEqual(countsOf(one))
  }
  expect(expected.size).toBeGreaterThan(100)
  expect(one.late).toBe(readings / lateEvery / 2 - 1)
})

test('a second run has nothing to do, in another number of threads as well', async () => {
  await runIn(3)
  const expected = await lastPerKey(log)
  const again = await runIn(2)
  expect(again.stages.every(({ rows }) => rows === 0)).toBe(true)
  expect(await lastPerKey(log)).toEqual(expected)
})

test('progress is that of all threads together, and ends with every stage at its end', async () => {
  const states = new Set<string>()
  let last = 0
  await runIn(2, {
    onProgress: ({ stages }) => {
      for (const { state } of stages) states.add(state)
      last = stages.reduce((sum, { rows }) => sum + rows, 0)
      if (stages.every(({ state }) => state === 'ended')) states.add('all ended')
    },
  })
  expect(last).toBeGreaterThanOrEqual(3 * readings)
  expect(states).toContain('all ended')
})

test('a callback that throws ends the run in words that do not depend on threads', async () => {
  process.env['MEASURED_MODE'] = 'throw'
  const error = await failureOf(runIn(2))
  expect(error).toBeInstanceOf(RejectedError)
  expect(error).toMatchObject({ code: 'CALLBACK_FAILED' })
  expect(error.message).toMatch(/measured\[\d\]@\d+ could not be processed: no such reading/)
  expect(error.cause).toBeInstanceOf(TypeError)
  expect((error.cause as Error).stack).toContain('measured.ts')
})

test('records passed over are counted from all threads', async () => {
  process.env['MEASURED_MODE'] = 'throw'
  const { skipped, deadLetters } = await runIn(2, { onError: 'dead-letter' })
  expect({ skipped, deadLetters }).toEqual({ skipped: 1, deadLetters: 1 })
})

for (const [mode, words] of [
  ['exit', /exit code 7/],
  ['uncaught', /thrown by nobody/],
] as const) {
  test(`a thread that ends by itself (${mode}) ends the run, and the next one completes it`, async () => {
    process.env['MEASURED_MODE'] = mode
    const error = await failureOf(runIn(2))
    expect(error).toBeInstanceOf(FailedError)
    expect(error).toMatchObject({ code: 'THREAD_FAILED' })
    expect(error.message).toMatch(words)
    delete process.env['MEASURED_MODE']
    // In the same session of the log: what the thread left open must not hold anybody back.
    await runIn(mode === 'exit' ? 1 : 3)
    const left = await lastPerKey(log)
    await startAfresh()
    await runIn(1)
    expect(left).toEqual(await lastPerKey(log))
  })
}

test('a thread that runs out of memory ends the command with a message', async () => {
  const limited = ['--max-old-space-size=100', script, '--threads', '2', '--log', `${directory}-2`]
  const { code, stderr } = await node(limited, { env: { MEASURED_MODE: 'memory' } })
  await rm(`${directory}-2`, { recursive: true })
  expect(stderr).toMatch(/thread "stages \d" of measured ended: .*memory.*\[THREAD_FAILED\]/i)
  expect(code).toBe(1)
})

test('both ways to start a pipeline know --threads', async () => {
  for (const words of [[script], [launcher, 'run', script]]) {
    const place = `${directory}-${words.length}`
    const { code, stderr } = await node([...words, '--threads', '2', '--log', place])
    await rm(place, { recursive: true })
    expect(stderr).toMatch(/✓ measured done/)
    expect(code).toBe(0)
  }
})

test('an interrupted run commits what is in flight, and the next one goes on from there', async () => {
  const stop = new AbortController()
  const first = await runIn(2, {
    signal: stop.signal,
    onProgress: ({ stages }) => {
      if (stages.some(({ rows }) => rows > 0)) stop.abort()
    },
  })
  const second = await runIn(3)
  const taken = (result: typeof first) => result.stages[0]?.rows ?? 0
  expect(taken(first) + taken(second)).toBe(readings)
  const left = await lastPerKey(log)
  await startAfresh()
  await runIn(1)
  expect(left).toEqual(await lastPerKey(log))
})

test('a run that is interrupted before it has begun ends at once', async () => {
  for (const threads of [1, 2]) {
    const { interrupted } = await runIn(threads, { signal: AbortSignal.abort() })
    expect(interrupted).toBe(true)
  }
})

test('threads need to know the script, and it must give the same pipeline', async () => {
  const unnamed = failureOf(run(pipeline, { log, threads: 2 }))
  expect((await unnamed).message).toMatch(/import\.meta\.url/)
  const other = await failureOf(runIn(2, { script: join(import.meta.dirname, 'another.ts') }))
  expect(other).toBeInstanceOf(UsageError)
  expect(other.message).toMatch(/another pipeline/)
})

async function startAfresh(): Promise<void> {
  await log.close()
  await rm(directory, { recursive: true })
  log = await open(directory, { thread: true })
}

async function failureOf(running: Promise<unknown>): Promise<Error> {
  try {
    await running
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('It did not fail.')
}

/** What does not depend on speed. */
function countsOf({ late, skipped, stages }: Awaited<ReturnType<typeof run>>) {
  return { late, skipped, rows: stages.map(({ id, state, rows }) => [id, state, rows]).slice(0, 2) }
}

/** The last record of each key of the output topics; how often it was updated depends on epochs. */
async function lastPerKey(from: Log): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const topic of ['by-minute', 'by-room']) {
    const { partitions } = await from.describeTopic(topic)
    for (const { partition, lastStableOffset } of partitions) {
      let position = { offset: 0, leaderEpoch: -1 }
      while (position.offset < lastStableOffset) {
        const answer = await from.fetch({
          isolation: 'read_committed',
          maxWaitMs: 0,
          maxBytes: 1 << 20,
          partitions: [{ topic, partition, position, maxBytes: 1 << 20 }],
        })
        const [fetched] = answer.partitions
        if (fetched === undefined) break
        const cursor = new BatchReader(fetched.batches, { fromOffset: position.offset })
        while (cursor.next()) {
          found.set(`${topic}[${partition}] ${String(cursor.key)}`, String(cursor.value))
        }
        position = { offset: fetched.nextOffset, leaderEpoch: fetched.nextLeaderEpoch }
      }
    }
  }
  return found
}
