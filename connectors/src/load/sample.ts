import type { Column } from '@millrace/processors'
import { inferType } from '../files/text/text-values.ts'
import type { Inferred } from './inferred.ts'
import type { Input } from './input.ts'

type Row = Readonly<Record<string, unknown>>

const exampleCharactersMax = 30

/** Says of each column of an input what a sample of its rows tells. */
export function inferFromSample(input: Input, rows: readonly Row[]): Inferred[] {
  return input.columns.map((column) => {
    const found = rows.map((row) => row[column.name] ?? null)
    const values = found.filter((value) => value !== null)
    const isDeclared = input.format === 'parquet'
    const hasNulls = isDeclared ? column.nullable : values.length < found.length
    const example = values.length === 0 ? undefined : shown(values[0])
    const why = isDeclared ? 'the file says so' : whyOf(column, values, found.length)
    return { column, hasNulls, example, why }
  })
}

function whyOf({ type }: Column, values: readonly unknown[], count: number): string {
  if (values.length === 0) return `no value in the first ${count} records`
  const nulls = values.length < count ? `, ${count - values.length} null` : ''
  const ofSample = `${values.length} of the first ${count} records${nulls}`
  if (type !== 'string') return `fits ${ofSample}`
  const texts = values.filter((value) => typeof value === 'string')
  const odd = texts.find((text) => inferType([text]) === 'string')
  return odd === undefined
    ? `of several kinds, in ${ofSample}`
    : `${shown(odd)} is nothing narrower`
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : jsonOf(value)
  return text.length > exampleCharactersMax ? `${text.slice(0, exampleCharactersMax)}…` : text
}

function jsonOf(value: unknown): string {
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}
