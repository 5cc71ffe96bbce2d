import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withoutSecrets } from './secrets.ts'

test('a password in a URL is never shown', () => {
  const password = fc.stringMatching(/^[a-zA-Z0-9/@?&%:!-]{8,24}$/)
  fc.assert(
    fc.property(password, (secret) => {
      const shown = withoutSecrets(
        `cannot reach postgres://ada:${secret}@db.example:5432/mill, sorry`,
      )
      expect(shown).toBe('cannot reach postgres://ada:***@db.example:5432/mill, sorry')
    }),
  )
})

test('a secret in a query string is never shown', () => {
  expect(withoutSecrets('postgres://db/mill?user=ada&password=rye&ssl=1')).toBe(
    'postgres://db/mill?user=ada&password=***&ssl=1',
  )
})

test('text without secrets stays as it is', () => {
  const text = 'http://localhost:8080/topics and C://x, then mail ada@example.com'
  expect(withoutSecrets(text)).toBe(text)
})
