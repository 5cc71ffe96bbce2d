import { postgres } from '../../postgres/postgres.ts'
import { loadTable } from '../load-table.ts'

/** For tests that kill it: copies a table beside itself, and says when it has begun. */
const [url = '', from = '', to = ''] = process.argv.slice(2)
await loadTable({
  from: { url, table: from },
  sink: postgres(url).table(to),
  onProgress: ({ rows }) => void process.stdout.write(`${rows}\n`),
})
