import { readFileSync } from 'node:fs'
import { expect } from 'vitest'

const page = readFileSync(new URL('../../docs/postgres-faults.md', import.meta.url), 'utf8')

/** What a row of docs/postgres-faults.md promises to be said; `…` stands for anything. */
function words(fault: string): RegExp[] {
  const row = page.split('\n').find((line) => line.startsWith(`| ${fault} |`))
  if (row === undefined) throw new Error(`docs/postgres-faults.md has no row "${fault}"`)
  const cell = row.split(' | ')[2] ?? ''
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => {
    const parts = text.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return new RegExp(parts.join('[^]*?'))
  })
}

/** A run said what the documentation shows for this fault: one of its words, where there are several. */
export function expectDocumented(fault: string, said: string): void {
  const expected = words(fault)
  if (expected.some((text) => text.test(said))) return
  expect.fail(`Said: ${said}\nDocumented for "${fault}": ${expected.join(' or ')}`)
}
