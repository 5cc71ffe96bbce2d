import { bytesBetweenRounds, isBounded, type TopicOnDisk } from './disk-bounds.ts'
import { growth, median } from './samples.ts'
import type { SoakPlan, SoakResult } from './soak.ts'

const GROWTH_MAX = 1.3
// Below these nothing is said to grow: garbage is collected when it pleases, what waits on a slow machine fills the
// bounded buffers, and segments come and go.
const FLOORS = { rssBytes: 384 * 1024 * 1024, openFiles: 150 } as const

/** What did not come true, in words; nothing here depends on how fast the machine is. */
export function brokenPromises(plan: SoakPlan, result: SoakResult): readonly string[] {
  const { rows, different, late, skipped, kills, peaks } = result
  const broken: string[] = []
  if (different !== 0) broken.push(`${different} of ${rows} rows are different`)
  if (late !== 0 || skipped !== 0) broken.push(`${late} records were late, ${skipped} skipped`)
  if (kills === 0) broken.push('nobody was killed')
  for (const topic of result.topics)
    if (!isBounded(topic)) broken.push(overfull(topic, 'at the end'))
  for (const { topic, bytesMax } of result.topics) {
    const peak = {
      topic,
      bytes: peaks.get(topic) ?? 0,
      bytesMax: bytesMax + bytesBetweenRounds(plan.rate),
    }
    if (!isBounded(peak)) broken.push(overfull(peak, 'at its peak'))
  }
  for (const measure of ['rssBytes', 'openFiles'] as const) {
    const grown = growth(result.minutes, measure)
    if (grown === undefined) continue
    const max = GROWTH_MAX * Math.max(grown.first, FLOORS[measure])
    if (!(grown.last <= max)) broken.push(`${measure} grew from ${grown.first} to ${grown.last}`)
  }
  return broken
}

/** Records a second that were made while nobody was killed; undefined when there was no such minute. */
export function calmRate({ minutes }: SoakResult): number | undefined {
  const calm = minutes.filter(({ isCalm }) => isCalm)
  return calm.length === 0 ? undefined : median(calm.map(({ records }) => records / 60))
}

function overfull(held: TopicOnDisk, when: string): string {
  const { topic, bytes, bytesMax, offsets = 0, offsetsMax = 0 } = held
  if (bytes > bytesMax) return `${topic} took ${bytes} bytes ${when}; it may take ${bytesMax}`
  return `a partition of ${topic} was ${offsets} offsets long ${when}; it may be ${offsetsMax}`
}
