import { postgres } from '../../postgres/postgres.ts'
import { loadTable } from '../load-table.ts'

/** For tests: copies a table beside itself, and dies so long after its first rows, unless it is done by then. */
const [url = '', from = '', to = '', killAfterMs = '0'] = process.argv.slice(2)
const die = () => process.kill(process.pid, 'SIGKILL')
let timer: NodeJS.Timeout | undefined
await loadTable({
  from: { url, table: from },
  sink: postgres(url).table(to),
  onProgress() {
    if (killAfterMs === '0') die()
    timer ??= setTimeout(die, Number(killAfterMs))
  },
})
clearTimeout(timer)
