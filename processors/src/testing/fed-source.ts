import type { Source, SourceBatch } from '../source.ts'

/** Stands in for a source in a test: gives the rows that the test has fed so far, and ends there. */
export class FedSource {
  readonly source: Source<unknown>
  readonly #batches: unknown[][] = []

  constructor(name: string) {
    this.source = {
      kind: 'source',
      name,
      bounded: true,
      open: async ({ position }) => ({
        total: { rows: this.#batches.reduce((sum, batch) => sum + batch.length, 0) },
        batches: () => this.#from(Number(position ?? 0)),
        close: async () => {},
      }),
    }
  }

  /** These rows come as one batch, after those fed before. */
  feed(rows: readonly unknown[]): void {
    this.#batches.push([...rows])
  }

  async *#from(batchesDone: number): AsyncGenerator<SourceBatch<unknown>> {
    let rowsRead = this.#batches.slice(0, batchesDone).reduce((sum, { length }) => sum + length, 0)
    for (const [index, rows] of this.#batches.entries()) {
      if (index < batchesDone) continue
      rowsRead += rows.length
      yield { rows, position: index + 1, bytesRead: rowsRead, rowsRead }
    }
  }
}
