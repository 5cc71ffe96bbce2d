import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** What a process holds at one moment. */
export interface VitalSigns {
  readonly rssBytes: number
  readonly openFiles: number
}

/** What the system says about a process; `undefined` once it is gone. */
export async function vitalSigns(pid: number): Promise<VitalSigns | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    if (kib === undefined) return undefined
    return { rssBytes: Number(kib) * 1024, openFiles: (await readdir(`/proc/${pid}/fd`)).length }
  } catch {
    return undefined
  }
}

/** Bytes on the disk below a data directory, by topic; files that go meanwhile do not count. */
export async function diskBytes(directory: string): Promise<Map<string, number>> {
  const topics = new Map<string, number>()
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue
    const topic = entry.name.replace(/-\d+$/, '')
    for (const name of await readdir(join(directory, entry.name)).catch(() => [])) {
      const file = await stat(join(directory, entry.name, name)).catch(() => undefined)
      topics.set(topic, (topics.get(topic) ?? 0) + (file?.size ?? 0))
    }
  }
  return topics
}
