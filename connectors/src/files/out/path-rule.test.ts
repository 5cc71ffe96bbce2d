import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pathRule } from './path-rule.ts'

const of = (value: unknown) => pathRule('a', 'sink').directoryOf(null, { a: value })

test.each([
  ['plain', 'ORD', 'a=ORD'],
  ['a number', 7, 'a=7'],
  ['a big integer', 2n ** 64n, 'a=18446744073709551616'],
  ['null', null, 'a=__HIVE_DEFAULT_PARTITION__'],
  ['nothing', undefined, 'a=__HIVE_DEFAULT_PARTITION__'],
  ['an empty string', '', 'a='],
  ['the parent directory', '..', 'a=..'],
  ['a way out', '../../etc', 'a=..%2F..%2Fetc'],
  ['an absolute path', '/etc', 'a=%2Fetc'],
  ['NUL', 'x\0y', 'a=x%00y'],
  ['a line break', 'x\ny', 'a=x%0Ay'],
  ['percent', '100%', 'a=100%25'],
  ['a backslash', 'x\\y', 'a=x%5Cy'],
  ['letters of any language', 'Zürich 東京', 'a=Zürich 東京'],
  ['a date', new Date(0), 'a=1970-01-01T00%3A00%3A00.000Z'],
])('%s is one directory', (_, value, path) => {
  expect(of(value)).toBe(path)
})

test('whatever the text, it is one name of a directory, and can be told from any other', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((each) => each.isWellFormed())
  fc.assert(
    fc.property(text, text, (a, b) => {
      const path = of(a)
      expect(path).not.toMatch(/[/\0\n]/)
      expect(decodeURIComponent(path.slice(2))).toBe(a)
      expect(of(b) === path).toBe(a === b)
    }),
  )
})

test('what no directory can be called is refused', () => {
  expect(() => of('x'.repeat(300))).toThrow('longer than the 255')
  expect(() => of('é'.repeat(128))).toThrow('longer than the 255')
  expect(() => of({ b: 1 })).toThrow("can't be a directory")
  expect(() => of('\ud800')).toThrow('surrogate')
  expect(() => of(new Date(NaN))).toThrow("can't be a directory")
})

test('times are cut in UTC, from dates, milliseconds and text; the key comes first', () => {
  const rule = pathRule(
    {
      y: { year: 'at' },
      m: { month: 'at' },
      dt: { day: 'at' },
      hour: { hour: 'at' },
      up: ({ k }) => String(k).toUpperCase(),
    },
    'sink',
  )
  for (const at of [new Date(981173106000), 981173106000, '2001-02-03 04:05:06']) {
    expect(rule.directoryOf({ k: 'x' }, { at, k: 'y' })).toBe(
      'y=2001/m=02/dt=2001-02-03/hour=04/up=X',
    )
  }
  expect(rule.directoryOf(null, {})).toBe(
    `y=${null_}/m=${null_}/dt=${null_}/hour=${null_}/up=UNDEFINED`,
  )
  expect(() => rule.directoryOf(null, { at: 'soon' })).toThrow('no time')
})
const null_ = '__HIVE_DEFAULT_PARTITION__'

test('a row that a function throws on is refused', () => {
  const rule = pathRule({ a: (row) => (row['a'] as string).length }, 'sink')
  expect(() => rule.directoryOf(null, {})).toThrow('partitionBy threw: TypeError')
})

test('only columns that the path says in full are left out of the files', () => {
  expect([...pathRule(['a', 'b'], 's').said]).toEqual(['a', 'b'])
  expect([...pathRule({ a: 'a', c: 'b', d: { day: 'd' } }, 's').said]).toEqual(['a'])
  expect([...pathRule(undefined, 's').said]).toEqual([])
})

test('rules that make no path are refused at once', () => {
  expect(() => pathRule('', 's')).toThrow('names of 1 to 100 bytes')
  expect(() => pathRule({ dt: { week: 'at' } as never }, 's')).toThrow('no "week"')
})
