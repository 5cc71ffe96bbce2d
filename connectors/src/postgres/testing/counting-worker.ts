import { postgres } from '../postgres.ts'
import { batchOf, testContext } from './test-database.ts'

/**
 * A process of its own: appends the numbers from 0 up to the third argument, in batches, going on
 * where the table's position says, and ends with exit code 0.
 */
const batchRows = 1_000
const [url = '', table = '', end = '0'] = process.argv.slice(2)
const open = await postgres(url).table(table).open(testContext({}))
const task = await open.claim('t')
const from = (task.position as { next: number } | undefined)?.next ?? 0
for (let next = from; next < Number(end); next += batchRows) {
  const rows = Array.from({ length: batchRows }, (_, index) => ({ id: next + index }))
  await task.write(batchOf(rows, { next: next + batchRows }))
}
await open.close()
