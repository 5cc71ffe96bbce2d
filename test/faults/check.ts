import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, open, verifyLog } from '@millrace/core'
import { append, readValues } from '@millrace/core/testing'
import { expectThat } from './expect-that.ts'
import type { Life } from './life.ts'
import { partitionRange } from './ranges.ts'
import type { Strike } from './strace.ts'
import type { Testimony, ToldRecord } from './testimony.ts'
import { nameOf, valueOf } from './witness.ts'
import type { Workload } from './workload.ts'

/** Opens what a life left, and throws an error that names the first broken promise. */
export async function checkLeft(
  workload: Workload,
  directory: string,
  { testimony }: Life,
): Promise<void> {
  const log = await open(directory)
  try {
    expectThat((await log.describe()).damaged.length === 0, 'the log is damaged')
    for (const records of byPartition(testimony)) await checkPartition(log, testimony, records)
    await workload.verify?.(log, testimony)
    await checkGoesOn(log, directory)
  } finally {
    await log.close()
  }
  const { faults } = await verifyLog(directory)
  expectThat(faults.length === 0, `the bytes are not sound: ${JSON.stringify(faults)}`)
}

function byPartition(testimony: Testimony): ToldRecord[][] {
  const places = Map.groupBy(testimony.records, ({ topic, partition }) => `${topic}/${partition}`)
  return [...places.values()]
}

/** What was answered is there, in order, once; what was refused is not; what was read stays. */
async function checkPartition(
  log: Log,
  testimony: Testimony,
  records: readonly ToldRecord[],
): Promise<void> {
  const [{ topic, partition }] = records as [ToldRecord]
  const place = `${topic}/${partition}`
  const isThere = (await log.listTopics()).some(({ name }) => name === topic)
  if (!isThere)
    return expectThat(
      records.every(({ isDone }) => !isDone),
      `${topic} is gone`,
    )
  const names = (await readValues(log, topic, partition, 'read_committed')).map(nameOf)
  const { startOffset } = await partitionRange(log, topic, partition)
  const all = names.join()
  expectThat(new Set(names).size === names.length, `${place} holds a record twice: ${all}`)
  const told = new Set(records.map(({ name }) => name))
  for (const name of names) {
    const isInTransaction = testimony.isBegun(`commit ${name.split('.')[0]}`)
    expectThat(told.has(name) || isInTransaction, `${place} holds "${name}"`)
  }
  // What lies below the start was given up on purpose, from the oldest on.
  let mayBeGone = startOffset > 0
  for (const { name, isDone } of records) {
    const isHere = names.includes(name)
    if (isHere) mayBeGone = false
    expectThat(isHere || !isDone || mayBeGone, `${place} lost ${name}; it holds ${all}`)
    const isRefused = testimony.isFailed(`record ${place} ${name}`, 'DISK_FULL')
    expectThat(!isHere || !isRefused, `${place} holds ${name}, which was refused`)
  }
  const here = records.map(({ name }) => name).filter((name) => names.includes(name))
  const sorted = names.filter((name) => told.has(name))
  expectThat(here.join() === sorted.join(), `${place} has another order: ${all}`)
  for (const name of testimony.read.get(place) ?? []) {
    expectThat(names.includes(name) || startOffset > 0, `${place} lost ${name} that was read`)
  }
}

// Against hanging only: what is acknowledged is soon told to other processes.
const FOLLOWS_WITHIN_MS = 30_000

/** The log takes records again, and another reader sees the same as this one. */
async function checkGoesOn(log: Log, directory: string): Promise<void> {
  const topics = await log.listTopics()
  if (topics.every(({ name }) => name !== 't')) return
  await append(log, 't', 0, [valueOf('afterwards')])
  const seen = await readValues(log, 't', 0, 'read_committed')
  expectThat(seen.at(-1) === valueOf('afterwards'), 'the log takes nothing any more')
  const reader = await open(directory, { access: 'read-only' })
  const read = async () => (await readValues(reader, 't', 0, 'read_committed')).join()
  const untilMs = performance.now() + FOLLOWS_WITHIN_MS
  while ((await read()) !== seen.join() && performance.now() < untilMs) await sleep(5)
  expectThat((await read()) === seen.join(), 'another reader sees something else')
  await reader.close()
}

/** Throws unless a life that was struck went on as it should, and said what and where. */
export function checkWords(strike: Strike, { testimony, struck, end }: Life): void {
  if (strike.blow === 'SIGKILL') return expectThat(end !== 'lived' || struck === undefined, end)
  expectThat(end === 'lived', end)
  if (struck === undefined) return
  const { errors } = testimony
  if (errors.length === 0)
    return expectThat(isEndurable(strike, struck.line), 'of this nothing was said')
  const paths = Array.from(struck.line.matchAll(/["<](\/[^">]*)[">]/g), ([, path = '']) => path)
  const isNamed = errors.some(({ error }) => paths.some((path) => error.includes(path)))
  expectThat(isNamed, `no error names ${paths.join(' or ')}:\n${textOf(testimony)}`)
  const isHelpful = errors.every(({ error }) => /[.;:] \S.*\.$/.test(error))
  expectThat(isHelpful, `an error doesn't say what to do:\n${textOf(testimony)}`)
  const isOver = errors.some(({ code }) => code === 'LOG_FAILED')
  const isProbed = !testimony.isBegun('record t/0 probe') || testimony.isDone('record t/0 probe')
  const isProbe = testimony.isFailed('record t/0 probe', 'DISK_FULL')
  expectThat(isOver || isProbed || isProbe, `it did not go on:\n${textOf(testimony)}`)
}

/** A full disk may pass unnoticed, where it is tried again; of a failing one only a look may. */
function isEndurable({ blow }: Strike, line: string): boolean {
  return blow === 'ENOSPC' || line.includes('/proc/self/fd') || line.includes('O_RDONLY')
}

function textOf({ errors }: Testimony): string {
  return errors.map(({ step, error }) => `${step}: ${error}`).join('\n')
}
