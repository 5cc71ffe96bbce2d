import { join } from 'node:path'
import { expect, test } from 'vitest'
import { onSmallDisk, whyNoSmallDisk } from '../faults/small-disk.ts'

const why = await whyNoSmallDisk()
const script = join(import.meta.dirname, 'full-disk-life.ts')

test.skipIf(why !== undefined)(
  `file sinks wait on a full disk, and go on when there is room${why === undefined ? '' : ` (skipped: ${why})`}`,
  async () => {
    const end = await onSmallDisk((directory) => [process.execPath, script, directory])
    expect(end).toEqual({ code: 0, words: '' })
  },
)
