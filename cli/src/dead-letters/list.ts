import type { Log } from '@millrace/core'
import { type DeadLetterEntry, deadLetterTopics, openDeadLetters } from '@millrace/processors'

/** Letters of one topic with one cause. */
export interface CauseGroup {
  readonly topic: string
  readonly letters: number
  /** SQLSTATE, or a code of ours. */
  readonly code: string
  /** The operator or sink that could not take them. */
  readonly at: string
  /** Where the first of them came from. */
  readonly first: string
  /** The cause of the first of them, in full. */
  readonly example: string
}

/** The open letters of all dead-letter topics, or of one, grouped by what refused them and why; most first. */
export async function causesOf(log: Log, topic: string | undefined): Promise<CauseGroup[]> {
  const names = topic === undefined ? await topicNames(log) : [topic]
  const groups: CauseGroup[] = []
  for (const name of names) {
    const own = new Map<string, { letters: number; readonly first: DeadLetterEntry }>()
    for await (const letters of openDeadLetters(log, name)) {
      for (const letter of letters) count(own, letter)
    }
    const sorted = [...own.values()].toSorted((a, b) => b.letters - a.letters)
    groups.push(...sorted.map(({ letters, first }) => groupOf(name, letters, first)))
  }
  return groups
}

async function topicNames(log: Log): Promise<string[]> {
  return (await deadLetterTopics(log)).map(({ name }) => name)
}

function count(
  groups: Map<string, { letters: number; readonly first: DeadLetterEntry }>,
  letter: DeadLetterEntry,
): void {
  const { code, at, column = '', constraint = '' } = letter
  const id = JSON.stringify([code, at, column, constraint])
  const group = groups.get(id)
  if (group === undefined) groups.set(id, { letters: 1, first: letter })
  else group.letters += 1
}

function groupOf(topic: string, letters: number, first: DeadLetterEntry): CauseGroup {
  const { code, at, origin, offset, cause } = first
  const place = `${origin.topic}[${origin.partition}]@${offset}`
  return { topic, letters, code, at, first: place, example: cause }
}
