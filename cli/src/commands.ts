import type { Command } from 'commander'

/** A command: what help needs at once; the rest is loaded when the command is called. */
interface CommandEntry {
  readonly name: string
  readonly summary: string
  /** The module whose default export gives the command its arguments, options and action. */
  readonly load: () => Promise<{ default: (command: Command) => void }>
}

/** Every command, in the order of help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'run a pipeline script until its sources end',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'topology',
    summary: 'show what a pipeline script would run, without running it',
    load: () => import('./commands/topology.ts'),
  },
  {
    name: 'load',
    summary: 'bulk-load files, or another database, into a table',
    load: () => import('./commands/load.ts'),
  },
  {
    name: 'topic',
    summary: 'list, create, describe, alter and delete topics',
    load: () => import('./commands/topic.ts'),
  },
  {
    name: 'produce',
    summary: 'append records from standard input to a topic',
    load: () => import('./commands/produce.ts'),
  },
  {
    name: 'consume',
    summary: 'print the records of a topic',
    load: () => import('./commands/consume.ts'),
  },
  {
    name: 'dlq',
    summary: 'list, show and send again what went to the dead letters',
    load: () => import('./commands/dlq.ts'),
  },
  {
    name: 'group',
    summary: 'list and describe consumer groups',
    load: () => import('./commands/group.ts'),
  },
  {
    name: 'log',
    summary: 'describe and verify a log',
    load: () => import('./commands/log.ts'),
  },
]
