import { Option } from 'commander'
import { paintData } from './talk.ts'

/** The options of every command that prints a list. */
export interface OutputOption {
  readonly output: 'table' | 'json'
}

type Cell = string | number | boolean | null | undefined | object

/** `-o table|json`: a table on a terminal, a JSON line for each row elsewhere. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print')
    .choices(['table', 'json'])
    .default(process.stdout.isTTY ? 'table' : 'json', 'table on a terminal, else json')
}

/** Prints rows to standard output: aligned under headings, or one JSON object a line. */
export function printRows(
  rows: readonly Readonly<Record<string, Cell>>[],
  options: OutputOption,
): void {
  const text = options.output === 'json' ? jsonLines(rows) : alignedTable(rows)
  if (text !== '') process.stdout.write(`${text}\n`)
}

function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n')
}

/** Rows aligned under headings. */
export function alignedTable(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const names = Object.keys(rows[0] ?? {})
  const columns = names.map((name) => {
    const cells = rows.map((row) => shown(row[name]))
    const isNumeric = rows.every((row) => typeof row[name] === 'number')
    const width = Math.max(name.length, ...cells.map((cell) => cell.length))
    const align = (text: string) => (isNumeric ? text.padStart(width) : text.padEnd(width))
    return { heading: paintData('bold', align(name)), cells: cells.map(align) }
  })
  const line = (cells: string[]) => cells.join('  ').trimEnd()
  return [
    line(columns.map(({ heading }) => heading)),
    ...rows.map((_, row) => line(columns.map(({ cells }) => cells[row] ?? ''))),
  ].join('\n')
}

function shown(cell: Cell): string {
  if (cell === null || cell === undefined) return '-'
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
}
