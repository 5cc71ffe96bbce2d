import { expect, test } from 'vitest'
import { liveOnSmallDisk, whyNoSmallDisk } from './small-disk.ts'

const missing = await whyNoSmallDisk()
if (missing !== undefined) console.warn(`No disk is filled here: ${missing}.`)

test.skipIf(missing !== undefined).each([
  ['append', 'refuses appends, goes on reading, and takes appends again when there is room'],
  ['roll', 'refuses what would need a new segment, and rolls when there is room'],
  ['retention', 'is made room on by retention itself, that of the newest segment included'],
  ['transaction', 'refuses a commit that can be tried again, and shows nothing of it before'],
  ['topics', 'refuses changes of topics whole, and deletes what is to make room'],
  ['opening', 'refuses to open, says so, and opens when there is room'],
  ['changelog', 'lets a pipeline wait, say so, and go on by itself: every sum is exact'],
])('a full disk: %s %s', async (scenario) => {
  expect(await liveOnSmallDisk(scenario)).toEqual({ code: 0, words: '' })
})
