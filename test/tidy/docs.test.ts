import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './sources.ts'

test('docs/errors.md explains every error code', () => {
  const source = readFileSync(join(root, 'core/src/errors.ts'), 'utf8')
  const union = source.slice(source.indexOf('LogErrorCode'), source.indexOf('interface'))
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map((match) => match[1])
  expect(codes.length).toBeGreaterThan(10)
  const docs = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  expect(codes.filter((code) => !docs.includes(`\`${code}\``))).toEqual([])
})
