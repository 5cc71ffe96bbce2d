import { unreadable } from './input-error.ts'

// A row is an object literal of all of them, compiled; far beyond this no compiler goes.
const columnsMax = 10_000

/** @throws UsageError INPUT_UNREADABLE when a file has more columns than rows can be made of. */
export function requireFewColumns(path: string, count: number): void {
  if (count <= columnsMax) return
  const next = 'Is the delimiter right, and are there line breaks? Else split the file by columns.'
  throw unreadable(path, `it has ${count} columns, and at most ${columnsMax} are read`, next)
}

/** A row of a file: its columns by name. */
export type FileRow = Record<string, unknown>

/** Appends `count` rows to `into`: row k takes `columns[c][starts[c] + k]` for each column c. */
export type RowMaker = (
  into: FileRow[],
  columns: readonly ArrayLike<unknown>[],
  starts: readonly number[],
  count: number,
) => void

/**
 * Makes the loop that turns columns into row objects. It is compiled from the column names, since
 * only an object literal gives all rows one hidden class: assigning by name in a loop measured at
 * a third of the speed.
 */
export function compileRowMaker(names: readonly string[]): RowMaker {
  const declarations = names.map((_, c) => `const c${c} = columns[${c}], s${c} = starts[${c}];`)
  const fields = names.map((name, c) => `${propertyName(name)}: c${c}[s${c} + i]`)
  const body = `${declarations.join('\n')}
for (let i = 0; i < count; i++) into.push({ ${fields.join(', ')} });`
  // oxlint-disable-next-line typescript/no-implied-eval -- names enter as JSON string literals only
  return new Function('into', 'columns', 'starts', 'count', body) as RowMaker
}

// Only as a computed key does __proto__ make a property; computed keys are slow, so others are not.
function propertyName(name: string): string {
  return name === '__proto__' ? `['__proto__']` : JSON.stringify(name)
}
