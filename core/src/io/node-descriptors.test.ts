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
