import { json, type TopicDescription } from '@millrace/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aggregate, count } from '../operators/aggregate.ts'
import { pipeline } from '../pipeline.ts'
import type { Plan } from '../plan.ts'
import type { Sink } from '../sink.ts'
import type { Source } from '../source.ts'
import { topic } from '../topic.ts'
import { divideTasks, type Share } from './divide-tasks.ts'
import { inputTopics } from './topics.ts'

const source: Source<{ city: string }> = {
  kind: 'source',
  name: 'rows',
  bounded: true,
  open: () => Promise.reject(new Error('only divided')),
}

function sink(name: string): Sink<unknown> {
  const open = () => Promise.reject(new Error('only divided'))
  return { kind: 'sink', name, guarantee: 'at-least-once', mode: 'append', open }
}

const { plan } = pipeline('divided', ({ from }) => {
  const orders = topic('orders', { value: json<{ city: string }>(), key: 'city', partitions: 4 })
  from(source).to(orders)
  from(orders).to(sink('rows'))
  from(orders)
    .pipe(aggregate({ orders: count() }))
    .to(sink('sums'))
})

function topicsWith(partitions: number): Map<string, TopicDescription> {
  const names = new Set(plan.stages.flatMap((stage) => inputTopics(stage)))
  const described = (name: string) =>
    ({ name, partitions: Array.from({ length: partitions }) }) as unknown as TopicDescription
  return new Map(Array.from(names, (name) => [name, described(name)]))
}

/** Stage and partition of every task in a share. */
function tasksOf(share: Share): string[] {
  return [...share].flatMap(([stage, groups]) => groups.flat().map((task) => `${stage} ${task}`))
}

function allTasks({ stages }: Plan, partitions: number): string[] {
  return stages.flatMap(({ id, kind }) =>
    Array.from({ length: kind === 'ingest' ? 1 : partitions }, (_, task) => `${id} ${task}`),
  )
}

test('every task runs in exactly one thread, and a sink has no more connections than it may', () => {
  const small = fc.integer({ min: 1, max: 9 })
  const property = fc.property(small, small, small, (threads, connections, partitions) => {
    const shares = divideTasks(plan, topicsWith(partitions), { threads, connections })
    expect(shares).toHaveLength(threads)
    const tasks = shares.flatMap(tasksOf)
    expect(tasks.toSorted()).toEqual(allTasks(plan, partitions).toSorted())
    for (const { id } of plan.stages.filter(({ kind }) => kind === 'deliver')) {
      const lanes = shares.flatMap((share) => share.get(id) ?? [])
      expect(lanes).toHaveLength(Math.min(connections, partitions))
    }
  })
  fc.assert(property)
})

test('two threads have as much to do as each other: one reads the source, the other takes more of the rest', () => {
  const shares = divideTasks(plan, topicsWith(4), { threads: 2, connections: 2 })
  const [reading, other] = shares.map((share) => tasksOf(share))
  expect(reading?.filter((task) => task.startsWith('from-rows'))).toHaveLength(1)
  expect(other?.filter((task) => task.startsWith('from-rows'))).toHaveLength(0)
  expect(other?.length).toBeGreaterThan(reading?.length ?? 0)
})

test('one thread does everything', () => {
  const [share, ...others] = divideTasks(plan, topicsWith(3), { threads: 1, connections: 2 })
  expect(others).toEqual([])
  expect(tasksOf(share ?? new Map())).toHaveLength(allTasks(plan, 3).length)
})
