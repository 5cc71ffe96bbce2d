import { cpus } from 'node:os'
import type { Comparison } from './paired.ts'

/** One line of the result table. */
export interface Row {
  readonly what: string
  /** Printed as measured, with its unit. */
  readonly got: string
  readonly spread: string
  readonly floor: string
  readonly aim: string
  /** The same as a number, for `--compare`: a rate, milliseconds or megabytes. */
  readonly value?: number
  /** Whether the floor holds; undefined when it could not be measured here. */
  readonly holds: boolean | undefined
}

/** A row for a ratio to a baseline of the same run. */
export function ratioRow(
  what: string,
  found: Comparison,
  floor: number,
  aim: number,
  unit: string,
): Row {
  return {
    what,
    got: `${found.ratio.toFixed(2)} × (${short(found.ours)} to ${short(found.baseline)} ${unit}/s)`,
    spread: `${found.ratioMin.toFixed(2)}–${found.ratioMax.toFixed(2)}, ${found.rounds} rounds`,
    floor: floor.toFixed(2),
    aim: aim.toFixed(2),
    value: found.ours,
    holds: found.ratio >= floor,
  }
}

/** 1,234,567 as `1.23 M`. */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(1)
}

/** The rows as a Markdown table, with what they were measured on. */
export function table(rows: readonly Row[]): string {
  const verdict = { true: 'yes', false: '**no**', undefined: 'not measured' }
  return [
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    '| | measured | spread | at least | aim | holds |',
    '|---|---|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| ${row.what} | ${row.got} | ${row.spread} | ${row.floor} | ${row.aim} | ${verdict[`${row.holds}`]} |`,
    ),
  ].join('\n')
}
