import type { CopyBuffer } from '../copy-buffer.ts'
import { UnfitValue, sqlState } from './column-codec.ts'
import type { ColumnCodec } from './column-codec.ts'

const dimensionsMax = 6

/** Arrays of a type, nested for more dimensions; an element may be null. */
export function arrayOf(element: ColumnCodec, elementOid: number): ColumnCodec {
  // Arrays inside an array of JSON values are JSON arrays, not further dimensions.
  const isNestable = !element.type.startsWith('json')
  return {
    type: `${element.type}[]`,
    write(out, value) {
      const array = toArray(value)
      const sizes = isNestable ? sizesOf(array) : array.length === 0 ? [] : [array.length]
      const start = out.position
      out.reserve(16 + 8 * sizes.length)
      out.position = start + 16 + 8 * sizes.length
      const hasNull = writeElements(out, array, sizes, 0, element)
      const { view } = out
      view.setInt32(start, out.position - start - 4)
      view.setInt32(start + 4, sizes.length)
      view.setInt32(start + 8, hasNull ? 1 : 0)
      view.setUint32(start + 12, elementOid)
      for (const [index, size] of sizes.entries()) {
        view.setInt32(start + 16 + 8 * index, size)
        view.setInt32(start + 20 + 8 * index, 1)
      }
    },
    text: (value) => arrayText(toArray(value), element, isNestable),
  }
}

function toArray(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (ArrayBuffer.isView(value) && Symbol.iterator in value)
    return [...(value as Iterable<unknown>)]
  throw new UnfitValue(sqlState.invalidText, value, 'is not an array')
}

function sizesOf(array: readonly unknown[]): number[] {
  const sizes: number[] = []
  let level: unknown = array
  while (Array.isArray(level)) {
    if (level.length === 0) return []
    sizes.push(level.length)
    level = level[0]
  }
  if (sizes.length > dimensionsMax) {
    throw new UnfitValue(sqlState.arrayShape, array, `has more than ${dimensionsMax} dimensions`)
  }
  return sizes
}

function writeElements(
  out: CopyBuffer,
  array: readonly unknown[],
  sizes: readonly number[],
  depth: number,
  element: ColumnCodec,
): boolean {
  if (sizes.length === 0) return false
  if (array.length !== sizes[depth]) throw ragged(array)
  const isLast = depth === sizes.length - 1
  let hasNull = false
  for (const item of array) {
    if (!isLast) {
      if (!Array.isArray(item)) throw ragged(array)
      if (writeElements(out, item, sizes, depth + 1, element)) hasNull = true
    } else if (item === null || item === undefined) {
      out.reserve(4)
      out.view.setInt32(out.position, -1)
      out.position += 4
      hasNull = true
    } else {
      element.write(out, item)
    }
  }
  return hasNull
}

function ragged(array: readonly unknown[]): UnfitValue {
  return new UnfitValue(sqlState.arrayShape, array, 'has rows of different lengths')
}

function arrayText(array: readonly unknown[], element: ColumnCodec, isNestable: boolean): string {
  const items = array.map((item) => {
    if (item === null || item === undefined) return 'NULL'
    if (isNestable && Array.isArray(item)) return arrayText(item, element, true)
    return `"${element.text(item).replaceAll(/["\\]/g, '\\$&')}"`
  })
  return `{${items.join(',')}}`
}
