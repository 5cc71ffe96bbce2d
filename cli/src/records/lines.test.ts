import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lines } from './lines.ts'

async function* chunksOf(text: string, cuts: readonly number[]) {
  const bytes = Buffer.from(text)
  let start = 0
  for (const cut of cuts.toSorted((one, other) => one - other)) {
    const end = Math.max(start, cut % (bytes.length + 1))
    yield bytes.subarray(start, end)
    start = end
  }
  yield bytes.subarray(start)
}

test('wherever the stream is cut, the lines are the same', async () => {
  const text = fc.stringMatching(/^[aé\n]{0,40}$/)
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(80), { maxLength: 5 }), async (input, cuts) => {
      const read: string[] = []
      for await (const some of lines(chunksOf(input, cuts))) read.push(...some.map(String))
      const expected = input.split('\n')
      if (expected.at(-1) === '') expected.pop()
      expect(read).toEqual(expected)
    }),
  )
})

test('line ends of Windows are no part of the line', async () => {
  for await (const some of lines(chunksOf('a\r\nb\r\n\r\n', []))) {
    expect(some.map(String)).toEqual(['a', 'b', ''])
  }
})
