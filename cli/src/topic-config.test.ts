import { expect, test } from 'vitest'
import { topicSetting } from './topic-config.ts'

test('settings gather, with units', () => {
  const first = topicSetting('retentionMs=7d')
  expect(topicSetting('segmentBytes=64MiB', first)).toEqual({
    retentionMs: 7 * 86_400_000,
    segmentBytes: 64 * 1024 * 1024,
  })
  expect(topicSetting('retentionBytes=-1')).toEqual({ retentionBytes: -1 })
  expect(topicSetting('cleanup=compact,delete')).toEqual({ cleanup: 'compact,delete' })
})

test('a setting that is not there is refused, with the nearest that is', () => {
  expect(() => topicSetting('retentoinMs=1')).toThrow('Did you mean "retentionMs"?')
})

test.each(['durability=disk', 'retentionMs=soon', 'segmentBytes=1XB', 'compression='])(
  'a senseless value is refused: %s',
  (text) => {
    expect(() => topicSetting(text)).toThrow(/is (one of|a number)/)
  },
)
