import type { Json, SourceBatch, SourceContext, SourceReader } from '@millrace/processors'

/** A position inside a batch: so many rows after one that the source knows. */
type InsidePosition = { readonly after: Json | null; readonly skip: number }

/**
 * Reads only the first `limit` rows of a source. Where that is inside a batch, the position says how far,
 * so that a later run with a larger limit goes on at the very next row.
 */
export async function openLimited<Row>(
  open: (context: SourceContext) => Promise<SourceReader<Row>>,
  limit: number | undefined,
  context: SourceContext,
): Promise<SourceReader<Row>> {
  const inside = insidePosition(context.position)
  if (limit === undefined && inside === undefined) return open(context)
  const position = inside === undefined ? context.position : (inside.after ?? undefined)
  const reader = await open({ ...context, position })
  return {
    ...(reader.columns !== undefined && { columns: reader.columns }),
    ...(reader.isSample !== undefined && { isSample: reader.isSample }),
    total: { ...reader.total, ...(limit !== undefined && { rows: limit }) },
    batches: () => limited(reader, limit ?? Infinity, position ?? null, inside?.skip ?? 0),
    close: () => reader.close(),
  }
}

async function* limited<Row>(
  reader: SourceReader<Row>,
  limit: number,
  start: Json | null,
  skip: number,
): AsyncGenerator<SourceBatch<Row>> {
  let after = start
  let skipped = skip
  for await (const batch of reader.batches()) {
    const before = batch.rowsRead - batch.rows.length
    const end = Math.min(batch.rows.length, limit - before)
    const rows = batch.rows.slice(skipped, Math.max(end, skipped))
    if (end === batch.rows.length) yield { ...batch, rows }
    else if (rows.length > 0) {
      yield { ...batch, rows, rowsRead: before + end, position: { after, skip: end } }
    }
    if (before + end >= limit) return
    skipped = 0
    after = batch.position
  }
}

function insidePosition(position: Json | undefined): InsidePosition | undefined {
  const isInside = typeof position === 'object' && position !== null && 'skip' in position
  return isInside ? (position as unknown as InsidePosition) : undefined
}
