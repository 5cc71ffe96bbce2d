/** A fenced code block of a Markdown file. */
export interface Block {
  readonly language: string
  readonly text: string
  readonly line: number
}

/** The fenced blocks of a Markdown text, in order. */
export function blocks(markdown: string): Block[] {
  const found: Block[] = []
  for (const match of markdown.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm)) {
    const line = markdown.slice(0, match.index).split('\n').length
    found.push({ language: match[1] ?? '', text: match[2] ?? '', line })
  }
  return found
}

/** A shell command of a `console` block and what the page says it prints. */
export interface Command {
  readonly command: string
  readonly output: string
}

/** Splits a `console` block: lines after `$ ` are commands, the lines below each their output. */
export function commands(block: Block): Command[] {
  return block.text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n')
      return { command, output: output.join('\n').trim() }
    })
}

/** Whether `actual` is what the page shows, where `…` on the page stands for anything. */
export function agrees(shown: string, actual: string): boolean {
  const literal = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('[\\s\\S]*?')}$`).test(actual.trim())
}
