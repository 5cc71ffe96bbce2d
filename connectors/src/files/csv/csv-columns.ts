import { UsageError } from '@millrace/core'
import type { Column, ColumnType } from '@millrace/processors'
import { inferType } from '../text/text-values.ts'

/** Names the columns: from the header, from the declaration, or by their place. */
export function nameColumns(
  path: string,
  header: readonly (string | null)[] | undefined,
  declared: Readonly<Record<string, ColumnType>>,
  width: number,
): string[] {
  if (!header) {
    const names = Object.keys(declared)
    return names.length > 0 ? names : Array.from({ length: width }, (_, i) => `column_${i + 1}`)
  }
  const names = header.map((name, i) => name?.trim() || `column_${i + 1}`)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    throw new UsageError('USAGE', `${path}: two columns are named ${twice}. Rename one.`)
  }
  const unknown = Object.keys(declared).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const message = `${path} has no column ${unknown}; it has ${names.join(', ')}.`
    throw new UsageError(
      'USAGE',
      `${message} Correct the name under columns (millrace produce: --type).`,
    )
  }
  return names
}

/** Types the columns: as declared, else as in a file like this one, else the narrowest that fits the sample. */
export function typeColumns(
  names: readonly string[],
  declared: Readonly<Record<string, ColumnType>>,
  like: readonly Column[],
  sample: readonly (readonly (string | null | undefined)[])[],
): Column[] {
  return names.map((name, c) => {
    const texts = sample.map((record) => record[c]).filter((text) => typeof text === 'string')
    const known = declaredType(declared, name) ?? like.find((each) => each.name === name)?.type
    return { name, type: known ?? inferType(texts), nullable: true }
  })
}

/** The likeliest delimiter of a header line: the one of `, ; tab |` that it has most of. */
export function guessDelimiter(line: string): string {
  const unquoted = line.replaceAll(/"(?:[^"]|"")*"/g, '')
  const [best] = [',', ';', '\t', '|']
    .map((delimiter) => ({ delimiter, count: unquoted.split(delimiter).length }))
    .toSorted((a, b) => b.count - a.count)
  return best?.delimiter ?? ','
}

// A column may be named like something that every object inherits.
function declaredType(
  declared: Readonly<Record<string, ColumnType>>,
  name: string,
): ColumnType | undefined {
  return Object.hasOwn(declared, name) ? declared[name] : undefined
}
