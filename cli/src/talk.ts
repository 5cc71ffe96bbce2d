import { styleText } from 'node:util'
import { withoutSecrets } from './secrets.ts'

type Style = Parameters<typeof styleText>[0]

/** Says something to the person at the terminal: standard error, never mixed with data. */
export function say(message: string): void {
  process.stderr.write(`${withoutSecrets(message)}\n`)
}

/** Colours for standard error; plain under NO_COLOR or when it isn't a terminal. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr })
}

/** Colours for standard output, by the same rule. */
export function paintData(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout })
}
