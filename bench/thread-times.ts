import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
const LOOK_EVERY_MS = 100

/** Processor time of each kind of thread of this process, in seconds. */
export type ThreadSeconds = Readonly<Record<string, number>>

/** Watches this process's threads, as the kernel counts them; those that end in between as well. */
export function threadTimes(): { stop(): ThreadSeconds } {
  const before = readThreads()
  let last = before
  const look = () => (last = new Map([...last, ...readThreads()]))
  const timer = setInterval(look, LOOK_EVERY_MS)
  return {
    stop() {
      clearInterval(timer)
      look()
      const seconds: Record<string, number> = {}
      for (const [id, { name, ticks }] of last) {
        const own = (ticks - (before.get(id)?.ticks ?? 0)) / TICKS_PER_SECOND
        seconds[name] = (seconds[name] ?? 0) + own
      }
      return seconds
    },
  }
}

interface ThreadTime {
  readonly name: string
  readonly ticks: number
}

function readThreads(): Map<string, ThreadTime> {
  const found = new Map<string, ThreadTime>()
  for (const id of readdirSync('/proc/self/task')) {
    try {
      const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8')
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      found.set(id, { name, ticks: Number(fields[11]) + Number(fields[12]) })
    } catch {
      // It has ended meanwhile.
    }
  }
  return found
}
