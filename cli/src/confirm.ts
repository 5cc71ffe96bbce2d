import { createInterface } from 'node:readline/promises'
import { UsageError } from '@millrace/core'

/**
 * Asks at the terminal before something that can't be undone.
 *
 * @throws UsageError without a terminal to ask at, or when the answer isn't `expected`.
 */
export async function confirm(question: string, expected: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new UsageError('USAGE', `${question} Nobody is at a terminal to answer: add --yes.`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} Type "${expected}" to go on: `)
    if (answer.trim() !== expected)
      throw new UsageError('USAGE', 'Not confirmed; nothing was done.')
  } finally {
    terminal.close()
  }
}
