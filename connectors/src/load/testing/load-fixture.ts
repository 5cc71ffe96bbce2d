import { csv } from '../../files/csv/csv.ts'
import { postgres } from '../../postgres/postgres.ts'
import { load } from '../load.ts'

/** For tests that kill it: loads a CSV file, and says when it has begun. */
const [path = '', url = '', table = ''] = process.argv.slice(2)
await load({
  source: csv(path),
  sink: postgres(url).table(table),
  transactionBytes: 150_000,
  onProgress: ({ rows }) => void process.stdout.write(`${rows}\n`),
})
