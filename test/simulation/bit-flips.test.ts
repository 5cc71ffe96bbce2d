import { MillraceError } from '@millrace/core'
import { SimulatedDisk } from '@millrace/core/testing'
import { describe, expect, test } from 'vitest'
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
  readonly after: SimulatedDisk
}

async function openDamaged(damaged: SimulatedDisk): Promise<Outcome> {
  try {
    const { log, disk: after } = await openCopy(damaged)
    const { damaged: reported } = await log.describe()
    const content = await readContent(log)
    await log.close()
    return { content, damaged: reported, after }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { refused: error.code, message: error.message, after: damaged }
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
      check(`${path} byte ${position}`, await openDamaged(damaged), path, position)
      flips += 1
    }
  }
  return flips
}

describe('one flipped bit in every byte of a small data directory', () => {
  test('in a segment is reported with its file, and nothing wrong is read', async () => {
    const wrong: string[] = []
    const flips = await flipAll(
      (path) => path.endsWith('.log'),
      (where, outcome, path) => {
        const isReported =
          outcome.refused === 'CORRUPT_DATA' ||
          hasError(outcome) ||
          (outcome.damaged?.length ?? 0) > 0
        if (!isReported) wrong.push(`${where}: not noticed`)
        const names = outcome.message ?? JSON.stringify(outcome.damaged)
        if (outcome.refused !== undefined && !names.includes(path)) wrong.push(`${where}: ${names}`)
        wrong.push(...wrongContent(where, outcome), ...deletedBytes(where, outcome))
      },
    )
    expect(wrong).toEqual([])
    expect(flips).toBeGreaterThan(1500)
  })

  test('in an index changes nothing', async () => {
    const wrong: string[] = []
    await flipAll(
      (path) => /\.(index|timeindex)$/.test(path),
      (where, outcome) => {
        if (JSON.stringify([...(outcome.content ?? [])]) !== JSON.stringify([...good]))
          wrong.push(where)
      },
    )
    expect(wrong).toEqual([])
  })

  test('in any other file is refused or changes nothing, and deletes nothing', async () => {
    const wrong: string[] = []
    const flips = await flipAll(
      (path) => !/\.(log|index|timeindex)$/.test(path),
      (where, outcome) => {
        wrong.push(...wrongContent(where, outcome), ...deletedBytes(where, outcome))
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

/** Whatever bytes the segments held before must still be there. */
function deletedBytes(where: string, { after }: Outcome): string[] {
  const files = after.files()
  return [...disk.files()].flatMap(([path, image]) =>
    path.endsWith('.log') && (files.get(path)?.sizeBytes ?? -1) < image.sizeBytes
      ? [`${where}: ${path} was cut`]
      : [],
  )
}
