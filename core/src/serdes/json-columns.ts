import type { Column, ColumnType } from './column.ts'
import type { Property, Shape } from './json-shape.ts'

/** The columns of an object's properties; undefined when the shape is no object. */
export function columnsOf(shape: Shape): readonly Column[] | undefined {
  const root = shape.kind === 'reference' ? shape.resolve() : shape
  return root.kind === 'object' ? root.properties.map(columnOf) : undefined
}

function columnOf({ name, shape, isOptional }: Property): Column {
  const { value, isNullable } = withoutNull(shape)
  const nullable = isOptional || isNullable
  if (value.kind !== 'array') return { name, type: typeOf(value), nullable }
  const items = withoutNull(value.items).value
  const type = typeOf(items)
  return type === 'json' ? { name, type, nullable } : { name, type, nullable, array: true }
}

function withoutNull(given: Shape): { value: Shape; isNullable: boolean } {
  const shape = given.kind === 'reference' ? given.resolve() : given
  if (shape.kind !== 'union') return { value: shape, isNullable: shape.kind === 'any' }
  const options = shape.options.filter((option) => option.kind !== 'null')
  const [only] = options
  const value: Shape = options.length === 1 && only !== undefined ? only : { kind: 'any' }
  return { value, isNullable: options.length < shape.options.length }
}

function typeOf(shape: Shape): ColumnType {
  switch (shape.kind) {
    case 'string':
    case 'uuid':
    case 'boolean':
      return shape.kind
    case 'number':
      return 'float64'
    case 'integer':
      return shape.isInt32 ? 'int32' : 'int64'
    case 'bigint':
      return 'int64'
    case 'date':
      return 'timestamp'
    default:
      return 'json'
  }
}
