import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import { UsageError } from '../errors.ts'

/** What a JSON value is read as and written from: the part of a schema that the log cares for. */
export type Shape =
  | { readonly kind: 'any' | 'string' | 'uuid' | 'number' | 'boolean' | 'null' | 'date' | 'bigint' }
  | { readonly kind: 'integer'; readonly isInt32: boolean }
  | { readonly kind: 'array'; readonly items: Shape }
  | { readonly kind: 'tuple'; readonly items: readonly Shape[]; readonly rest: Shape | undefined }
  | ObjectShape
  | { readonly kind: 'union'; readonly options: readonly Shape[] }
  | { readonly kind: 'reference'; readonly resolve: () => Shape }

export interface ObjectShape {
  readonly kind: 'object'
  readonly properties: readonly Property[]
  /** Shape of the properties not named; undefined: those are left out. */
  readonly rest: Shape | undefined
}

export interface Property {
  readonly name: string
  readonly shape: Shape
  readonly isOptional: boolean
}

type Schema = Readonly<Record<string, unknown>>

/** Marks what JSON Schema has no word for: a Date (epoch milliseconds) or a bigint. */
const MARK = 'x-millrace'
const INT32_MAX = 2_147_483_647
const LOSSY_TYPES = ['map', 'set', 'symbol', 'function', 'promise', 'file', 'nan']

/**
 * Reads the shape of a schema's output from the JSON Schema it gives.
 *
 * @throws UsageError when it gives none, or needs a type that JSON would silently lose.
 */
export function shapeOf(schema: StandardJSONSchemaV1): Shape {
  const converter = schema['~standard']?.jsonSchema
  if (converter === undefined) {
    throw new UsageError(
      'USAGE',
      'json() needs a schema that gives JSON Schema (the `jsonSchema` of Standard Schema), such as ' +
        'those of zod 4. Use one, or json() without a schema.',
    )
  }
  const root = converter.output({
    target: 'draft-2020-12',
    libraryOptions: { unrepresentable: 'any', override: markZodNode },
  })
  return new ShapeReader(root).read(root)
}

/** Called by zod for each node: names what it would leave unnamed. */
function markZodNode(node: {
  zodSchema?: { _zod?: { def?: { type?: string } } }
  jsonSchema?: Record<string, unknown>
}): void {
  const type = node.zodSchema?._zod?.def?.type
  if (type === undefined || node.jsonSchema === undefined) return
  if (type === 'date' || type === 'bigint') node.jsonSchema[MARK] = type
  if (LOSSY_TYPES.includes(type)) {
    throw new UsageError(
      'USAGE',
      `json() cannot hold the ${type} in this schema: JSON would lose it. Use objects and arrays.`,
    )
  }
}

class ShapeReader {
  readonly #root: Schema
  readonly #references = new Map<string, Shape>()

  constructor(root: Schema) {
    this.#root = root
  }

  read(schema: Schema): Shape {
    const mark = schema[MARK]
    if (mark === 'date' || mark === 'bigint') return { kind: mark }
    if (typeof schema.$ref === 'string') return this.#reference(schema.$ref)
    const options = schema.anyOf ?? schema.oneOf
    if (Array.isArray(options)) return this.#union(options.filter(isSchema))
    if (Array.isArray(schema.allOf)) return this.#intersection(schema.allOf.filter(isSchema))
    if (Array.isArray(schema.type)) {
      return this.#union(schema.type.map((type: unknown) => ({ ...schema, type })))
    }
    return this.#single(schema)
  }

  #single(schema: Schema): Shape {
    switch (schema.type) {
      case 'string':
        return { kind: schema.format === 'uuid' ? 'uuid' : 'string' }
      case 'integer':
        return { kind: 'integer', isInt32: isInt32(schema) }
      case 'number':
      case 'boolean':
      case 'null':
        return { kind: schema.type }
      case 'array':
        return this.#array(schema)
      case 'object':
        return this.#object(schema)
      default:
        return { kind: 'any' }
    }
  }

  #array(schema: Schema): Shape {
    const items = isSchema(schema.items) ? this.read(schema.items) : undefined
    if (!Array.isArray(schema.prefixItems)) {
      return { kind: 'array', items: items ?? { kind: 'any' } }
    }
    const prefix = schema.prefixItems.filter(isSchema).map((item) => this.read(item))
    return { kind: 'tuple', items: prefix, rest: items }
  }

  #object(schema: Schema): ObjectShape {
    const required = Array.isArray(schema.required) ? schema.required : []
    const properties = isSchema(schema.properties) ? Object.entries(schema.properties) : []
    const rest = schema.additionalProperties
    return {
      kind: 'object',
      properties: properties.filter(isNamedSchema).map(([name, member]) => ({
        name,
        shape: this.read(member),
        isOptional: !required.includes(name),
      })),
      // Not mentioned at all, JSON Schema lets anything pass.
      rest: rest === false ? undefined : isSchema(rest) ? this.read(rest) : { kind: 'any' },
    }
  }

  #union(schemas: readonly Schema[]): Shape {
    const options = schemas.map((schema) => this.read(schema))
    const numeric = new Set(
      options.map((option) => option.kind).filter((kind) => NUMERIC_KINDS.includes(kind)),
    )
    if (numeric.size > 1) {
      throw new UsageError(
        'USAGE',
        `A union of ${[...numeric].join(' and ')} cannot be told apart in JSON, where each is a ` +
          'number. Use two properties.',
      )
    }
    return { kind: 'union', options }
  }

  #intersection(schemas: readonly Schema[]): Shape {
    const parts = schemas.map((schema) => this.read(schema))
    const objects = parts.filter((part) => part.kind === 'object')
    if (objects.length < parts.length) return { kind: 'any' }
    return {
      kind: 'object',
      properties: objects.flatMap((part) => part.properties),
      rest: objects.find((part) => part.rest !== undefined)?.rest,
    }
  }

  #reference(pointer: string): Shape {
    const known = this.#references.get(pointer)
    if (known !== undefined) return known
    let target: Shape | undefined
    const shape: Shape = {
      kind: 'reference',
      resolve: () => (target ??= this.read(this.#lookUp(pointer))),
    }
    this.#references.set(pointer, shape)
    return shape
  }

  #lookUp(pointer: string): Schema {
    let node: unknown = this.#root
    for (const step of pointer.split('/').slice(1)) {
      node = isSchema(node) ? node[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
    }
    if (isSchema(node)) return node
    throw new UsageError('USAGE', `The schema refers to ${pointer}, which it does not define.`)
  }
}

const NUMERIC_KINDS: readonly string[] = ['number', 'integer', 'date', 'bigint']

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNamedSchema(entry: [string, unknown]): entry is [string, Schema] {
  return isSchema(entry[1])
}

function isInt32({ minimum, maximum }: Schema): boolean {
  return (
    typeof minimum === 'number' &&
    typeof maximum === 'number' &&
    minimum >= -INT32_MAX - 1 &&
    maximum <= INT32_MAX
  )
}
