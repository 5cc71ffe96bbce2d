import { describe, expect, test } from 'vitest'
import { LeaderEpochs } from './leader-epochs.ts'

describe('leader epochs', () => {
  const epochs = new LeaderEpochs().begin(2, 0).begin(5, 10).begin(6, 30)

  test('say which epoch wrote an offset', () => {
    expect([-1, 0, 9, 10, 29, 30, 1000].map((offset) => epochs.at(offset))).toEqual([
      -1, 2, 2, 5, 5, 6, 6,
    ])
  })

  test('are written in the text that Kafka reads, and read back', () => {
    const bytes = epochs.encode()
    expect(bytes.toString()).toBe('0\n3\n2 0\n5 10\n6 30\n')
    expect(LeaderEpochs.decode(bytes, 'f').encode()).toEqual(bytes)
  })

  test('forget an epoch that wrote nothing', () => {
    expect(epochs.begin(7, 30).encode().toString()).toBe('0\n3\n2 0\n5 10\n7 30\n')
  })

  test.each([
    ['another version', '1\n1\n0 0\n'],
    ['too few lines', '0\n2\n0 0\n'],
    ['no end of line', '0\n1\n0 0'],
    ['no number', '0\n1\nx 0\n'],
    ['epochs that do not ascend', '0\n2\n1 0\n1 5\n'],
    ['offsets that do not ascend', '0\n2\n1 5\n2 5\n'],
  ])('are refused by name when damaged: %s', (_, text) => {
    expect(() => LeaderEpochs.decode(Buffer.from(text), 'd/epochs')).toThrow(/d\/epochs is damaged/)
  })
})
