// node threads-run.ts DIRECTORY THREADS [LOG]: one run of the pipeline, in a process of its own, the log in
// a thread of its own too when THREADS is more than 1 or LOG is given. Prints what it took as JSON: all of
// `run`, the start of its threads included.
import { open, run } from 'millrace'
import { threadTimes } from './thread-times.ts'
import pipeline from './threads-pipeline.ts'

const [directory = '', count = '1', own] = process.argv.slice(2)
const threads = Number(count)
const script = new URL('threads-pipeline.ts', import.meta.url)

const log = await open(directory, { thread: threads > 1 || own !== undefined })
const watch = threadTimes()
const startMs = performance.now()
const { stages } = await run(pipeline, { log, threads, script })
const elapsedMs = performance.now() - startMs
const seconds = watch.stop()
await log.close()
console.log(JSON.stringify({ elapsedMs, rows: stages[0]?.rows, seconds }))
