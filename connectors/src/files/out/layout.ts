import type { Column, ColumnType, SinkBatch } from '@millrace/processors'
import { typeOfValue, widerType } from '../json-types.ts'
import type { OutColumn, OutFormat, Part } from './row-encoder.ts'

/** The rows of a batch, whoever gathered them. */
export type Rows = Pick<SinkBatch, 'size' | 'keys' | 'values'>

/**
 * The columns that files have: the schema's, or what the rows so far had, in order of appearance. They
 * only ever grow, and types only widen, so that files of a run differ at most so often.
 */
export class Layout {
  readonly #needs: OutFormat['needs']
  readonly #isFixed: boolean
  readonly #types = new Map<string, ColumnType | undefined>()
  /** Columns whose type the schema says. */
  readonly #typed = new Map<string, Column>()

  constructor(columns: readonly Column[], needs: OutFormat['needs'], isSample = false) {
    const known = isSample ? [] : columns
    for (const column of known) {
      const isTyped = column.isUntyped !== true
      if (isTyped) this.#typed.set(column.name, column)
      this.#types.set(column.name, isTyped ? column.type : undefined)
    }
    this.#needs = needs
    const isComplete = needs === 'names' || this.#typed.size === this.#types.size
    this.#isFixed = needs === 'nothing' || (known.length > 0 && isComplete)
  }

  get columns(): readonly OutColumn[] {
    return [...this.#types].map(([name, type]) => {
      const typed = this.#typed.get(name)
      if (typed !== undefined) return typed
      // What the values of a text file are, each of them says best.
      return this.#needs === 'types' ? { name, type: type ?? 'string' } : { name }
    })
  }

  /** Looks at rows to come; true when they need other columns, or wider ones, than files had so far. */
  widen({ size, keys, values }: Rows): boolean {
    if (this.#isFixed) return false
    let isWider = false
    for (let i = 0; i < size; i++) {
      if (this.#widenBy(keys[i] ?? null)) isWider = true
      if (this.#widenBy(values[i] ?? null)) isWider = true
    }
    return isWider
  }

  #widenBy(row: Part): boolean {
    let isWider = false
    for (const name in row) {
      if (this.#needs === 'names' ? this.#types.has(name) : this.#typed.has(name)) continue
      const type = this.#types.get(name)
      const wider = widerType(type, typeOfValue(row[name]))
      if (wider === type && this.#types.has(name)) continue
      this.#types.set(name, wider)
      isWider = true
    }
    return isWider
  }
}
