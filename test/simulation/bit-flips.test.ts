import { MillraceError, verifyLog } from '@millrace/core'
import { type SimulatedDisk, SimulatedMachine } from '@millrace/core/testing'
import { describe, expect, test } from 'vitest'
import { DIRECTORY } from './directory.ts'
import { type Content, makeSmallLog, openCopy, readContent } from './small-log.ts'

const disk = await makeSmallLog()
const good = await contentOf(disk)

async function contentOf(of: SimulatedDisk): Promise<Content> {
  const { log } = await openCopy(of)
  const content = await readContent(log)
  await log.close()
  return content
}

/** What came of opening and reading a damaged copy. */
interface Outcome {
  /** Code of the error that opening gave. */
  readonly refused?: string
  readonly message?: string
  readonly content?: Content
  readonly damaged?: readonly { readonly file: string; readonly position: number }[]
  /** What `verifyLog` said beforehand. */
  readonly faults: readonly { readonly file: string; readonly position: number }[]
  readonly after: SimulatedDisk
}

async function openDamaged(damaged: SimulatedDisk): Promise<Outcome> {
  const ports = new SimulatedMachine(1, damaged.copy()).boot()
  const { faults } = await verifyLog(DIRECTORY, { ports })
  try {
    const { log, disk: after } = await openCopy(damaged)
    const { damaged: reported } = await log.describe()
    const content = await readContent(log)
    await log.close()
    return { content, damaged: reported, faults, after }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { refused: error.code, message: error.message, faults, after: damaged }
  }
}

/** Calls `check` with the outcome of every single flipped bit (one in each byte) of the files chosen. */
async function flipAll(
  isChosen: (path: string) => boolean,
  check: (where: string, outcome: Outcome, path: string, position: number) => void,
): Promise<number> {
  let flips = 0
  for (const [path, image] of disk.files()) {
    if (!isChosen(path)) continue
    for (let position = 0; position < image.sizeBytes; position += 1) {
      const damaged = disk.copy()
      damaged
        .files()
        .get(path)
        ?.rot(position, 1 << (position % 8))
      const outcome = await openDamaged(damaged)
      check(`${path} byte ${position}`, outcome, path, position)
      await checkRepaired(outcome.after, path, position)
      flips += 1
    }
  }
  return flips
}

/** Nothing was deleted: with the bit flipped back, everything is there again. */
async function checkRepaired(after: SimulatedDisk, path: string, position: number): Promise<void> {
  for (const [name, { sizeBytes }] of disk.files()) {
    const isRewritten = !name.endsWith('.log')
    const there = after.files().get(name)?.sizeBytes ?? -1
    if (there < (isRewritten ? 0 : sizeBytes))
      throw new Error(`${path} byte ${position}: ${name} was cut or deleted`)
  }
  if (!path.endsWith('.log')) return
  after
    .files()
    .get(path)
    ?.rot(position, 1 << (position % 8))
  const repaired = await contentOf(after)
  // A header that named another producer may have got that one's transaction aborted: a marker more.
  const lost = [...good].filter(([name, expected]) => !repaired.get(name)?.startsWith(expected))
  expect(lost, `${path} byte ${position}, repaired`).toEqual([])
}

describe('one flipped bit in every byte of a small data directory', { timeout: 120_000 }, () => {
  test('in a segment is reported with its file, and nothing wrong is read', async () => {
    const wrong: string[] = []
    const flips = await flipAll(
      (path) => path.endsWith('.log'),
      (where, outcome, path, position) => {
        const isNoticed =
          outcome.refused !== undefined || hasError(outcome) || (outcome.damaged?.length ?? 0) > 0
        if (!isNoticed) wrong.push(`${where}: not noticed by reading`)
        const named = outcome.faults.find(({ file }) => file === `/${path}`)
        if (named === undefined || named.position > position)
          wrong.push(`${where}: not named by verifyLog`)
        wrong.push(...wrongContent(where, outcome))
      },
    )
    expect(wrong).toEqual([])
    expect(flips).toBeGreaterThan(1500)
  })

  test('in an index changes nothing', async () => {
    const wrong: string[] = []
    const flips = await flipAll(
      (path) => /\.(index|timeindex)$/.test(path),
      (where, outcome) => {
        if (JSON.stringify([...(outcome.content ?? [])]) !== JSON.stringify([...good]))
          wrong.push(where)
      },
    )
    expect(wrong).toEqual([])
    expect(flips).toBeGreaterThan(20)
  })

  test('in any other file is refused or changes nothing, and deletes nothing', async () => {
    const wrong: string[] = []
    const flips = await flipAll(
      (path) => !/\.(log|index|timeindex)$/.test(path),
      (where, outcome) => {
        wrong.push(...wrongContent(where, outcome))
      },
    )
    expect(wrong).toEqual([])
    expect(flips).toBeGreaterThan(500)
  })
})

function hasError({ content }: Outcome): boolean {
  return [...(content?.values() ?? [])].some((read) => read.includes('|'))
}

/** Every partition must give what it gave before, up to an error or the end that is reported. */
function wrongContent(where: string, { content, damaged, refused }: Outcome): string[] {
  if (refused !== undefined || content === undefined) return []
  return [...good].flatMap(([name, expected]) => {
    const [read = '', error] = (content.get(name) ?? '').split('|')
    if (read === expected) return []
    const isCutShort =
      expected.startsWith(read) && (error !== undefined || (damaged?.length ?? 0) > 0)
    return isCutShort && name !== 'positions' ? [] : [`${where}: ${name} reads wrongly`]
  })
}
