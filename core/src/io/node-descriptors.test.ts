import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Descriptors, type Sleeper } from './node-descriptors.ts'

test('a file that fails as it gives its descriptor back fails nobody else', async () => {
  const descriptors = new Descriptors(1)
  const failing: Sleeper = {
    isWarm: false,
    isIdle: true,
    sleep: () => Promise.reject(new Error('EIO: i/o error, fstat')),
  }
  const sleeping = Promise.withResolvers<void>()
  const sound: Sleeper = {
    isWarm: false,
    isIdle: true,
    sleep: async () => {
      descriptors.slept(sound)
      sleeping.resolve()
    },
  }
  descriptors.woke(failing)
  descriptors.woke(sound)
  await sleeping.promise
  let shortages = 1
  const opened = descriptors.withSpare(async () => {
    if (shortages-- > 0) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
    return 'opened'
  })
  expect(await opened).toBe('opened')
})

test('after a shortage fewer files stay awake, and a while later as many as before', async () => {
  let nowMs = 0
  const descriptors = new Descriptors(200, () => nowMs)
  let awake = 0
  const wake = async (files: number): Promise<number> => {
    for (let count = 0; count < files; count++) {
      const file: Sleeper = {
        isWarm: false,
        isIdle: true,
        sleep: async () => {
          descriptors.slept(file)
          awake--
        },
      }
      awake++
      descriptors.woke(file)
      await setImmediate()
    }
    return awake
  }
  expect(await wake(200)).toBe(200)
  let shortages = 1
  await descriptors.withSpare(async () => {
    if (shortages-- > 0) throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
  })
  expect(await wake(100)).toBe(100)
  nowMs += 60_000
  expect(await wake(150)).toBe(200)
})
