import { type Column, UsageError } from '@millrace/core'
import { slug } from './slug.ts'
import type { Rekey, Step } from './operators/operator.ts'
import type { Sink } from './sink.ts'
import type { TopologyNode } from './topology.ts'

/** What is known of a stream before it runs. */
export interface StreamFacts {
  /** Undefined: its records have no key. */
  readonly keyColumns: readonly Column[] | undefined
  /** Undefined: not known. */
  readonly valueColumns: readonly Column[] | undefined
  /** All records of a key come to the same task. */
  readonly isPlaced: boolean
  /** The key is made of these properties of the value as it is now. */
  readonly keyNames: readonly string[] | undefined
  /** A record takes the place of earlier ones of its key: what an aggregate sends. */
  readonly replaces: boolean
  /** What state made from it is named by. */
  readonly root: string
}

/** What is known of a node's stream, given what is known of its inputs. @throws UsageError when they don't fit. */
export function factsOf(
  pipeline: string,
  node: TopologyNode,
  inputs: readonly StreamFacts[],
): StreamFacts {
  switch (node.kind) {
    case 'topic': {
      const { name, keyColumns, keyByName, value } = node.topic
      const hasKey = keyColumns.length > 0
      return {
        keyColumns: hasKey ? keyColumns : undefined,
        valueColumns: value.columns,
        isPlaced: hasKey,
        keyNames: keyByName === true ? keyColumns.map((column) => column.name) : undefined,
        replaces: false,
        root: name,
      }
    }
    case 'source': {
      const root = slug(node.source.name)
      return { ...nothing, root }
    }
    case 'step':
      return afterStep(pipeline, node.step, inputs[0] ?? nothing)
    case 'merge':
      return afterMerge(pipeline, inputs)
    case 'target':
      return inputs[0] ?? nothing
  }
}

const nothing: StreamFacts = {
  keyColumns: undefined,
  valueColumns: undefined,
  isPlaced: false,
  keyNames: undefined,
  replaces: false,
  root: '',
}

function afterStep(pipeline: string, step: Step, before: StreamFacts): StreamFacts {
  if (step.state !== undefined) return afterState(pipeline, step, before)
  if (step.rekey !== undefined) return afterRekey(step.rekey, before)
  // What an `rx` makes of keys is its own business; it may have changed them.
  const keepsKeys = step.kind !== 'rx'
  return {
    ...before,
    isPlaced: before.isPlaced && keepsKeys,
    keyNames: step.keepsValues === true ? before.keyNames : undefined,
    valueColumns: step.keepsValues === true ? before.valueColumns : step.columns,
    replaces: before.replaces && step.isOneToOne === true,
  }
}

function afterRekey({ columns, byName }: Rekey, before: StreamFacts): StreamFacts {
  const names = columns.map((column) => column.name)
  const typed = columns.map(
    (column) =>
      (byName && before.valueColumns?.find((known) => known.name === column.name)) || column,
  )
  return {
    ...before,
    keyColumns: typed,
    isPlaced: byName && before.isPlaced && sameNames(names, before.keyNames),
    replaces: false,
    keyNames: byName ? names : undefined,
  }
}

function afterState(pipeline: string, step: Step, before: StreamFacts): StreamFacts {
  const { keyColumns, root } = before
  if (keyColumns === undefined) {
    throw new UsageError(
      'PIPELINE_INVALID',
      `Pipeline ${pipeline}: ${step.kind} needs records with a key, and those of ${root} have none. ` +
        `Put keyBy('…') before it, or give the topic a key.`,
    )
  }
  const added = step.state?.addsToKey ?? []
  const names = keyColumns.map((column) => column.name)
  const twice = added.find((column) => names.includes(column.name))
  if (twice !== undefined) {
    throw new UsageError(
      'PIPELINE_INVALID',
      `Pipeline ${pipeline}: the key before ${step.kind} already has ${twice.name}; ` +
        `put keyBy('…') before its window to choose a key without it.`,
    )
  }
  const derived = [root, 'by', ...names, step.state?.suffix].filter((part) => part !== undefined)
  return {
    keyColumns: [...keyColumns, ...added],
    valueColumns: step.columns,
    isPlaced: true,
    keyNames: undefined,
    replaces: true,
    root: step.name ?? derived.join('-'),
  }
}

function afterMerge(pipeline: string, inputs: readonly StreamFacts[]): StreamFacts {
  const [first = nothing, ...others] = inputs
  const names = (facts: StreamFacts) => facts.keyColumns?.map((column) => column.name)
  const odd = others.find((other) => !sameNames(names(first) ?? [], names(other) ?? []))
  if (odd !== undefined) {
    throw new UsageError(
      'PIPELINE_INVALID',
      `Pipeline ${pipeline}: merge takes streams of one key, but ${first.root} has ` +
        `${keyText(names(first))} and ${odd.root} has ${keyText(names(odd))}; put keyBy('…') before it.`,
    )
  }
  return {
    keyColumns: first.keyColumns,
    valueColumns: others.every((other) => sameColumns(first.valueColumns, other.valueColumns))
      ? first.valueColumns
      : undefined,
    isPlaced: inputs.every((input) => input.isPlaced),
    keyNames: inputs.every((input) => input.keyNames !== undefined) ? first.keyNames : undefined,
    replaces: false,
    root: inputs.map((input) => input.root).join('-and-'),
  }
}

/** @throws UsageError when a sink's key columns are not in the row, as far as that is known. */
export function checkSinkColumns(pipeline: string, sink: Sink<never>, facts: StreamFacts): void {
  if (facts.valueColumns === undefined) return
  const names = [...(facts.keyColumns ?? []), ...facts.valueColumns].map((column) => column.name)
  for (const name of sink.key ?? []) {
    if (names.includes(name)) continue
    throw new UsageError(
      'PIPELINE_INVALID',
      `Pipeline ${pipeline}: ${sink.name} needs the column "${name}", but its rows have ${names.join(', ')}.`,
    )
  }
}

function keyText(names: readonly string[] | undefined): string {
  return names === undefined ? 'none' : names.join(', ')
}

function sameNames(a: readonly string[], b: readonly string[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((name, at) => name === b[at])
}

function sameColumns(a: readonly Column[] | undefined, b: readonly Column[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
