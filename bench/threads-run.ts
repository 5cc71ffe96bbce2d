// node threads-run.ts DIRECTORY THREADS: one run of the pipeline, in a process of its own. Prints what it
// took as a line of JSON.
import { open, run } from 'millrace'
import { threadTimes } from './thread-times.ts'
import pipeline from './threads-pipeline.ts'

const [directory = '', count = '1'] = process.argv.slice(2)
const threads = Number(count)
const script = new URL('threads-pipeline.ts', import.meta.url)

const log = await open(directory, { thread: threads > 1 })
const watch = threadTimes()
const { elapsedMs, stages } = await run(pipeline, { log, threads, script })
const seconds = watch.stop()
await log.close()
console.log(JSON.stringify({ elapsedMs, rows: stages[0]?.rows, seconds }))
