import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What a finished process left. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Sends a signal to the process. */
export type Kill = (signal: NodeJS.Signals) => void

/** What is done when a text appears. */
export interface Reaction {
  readonly text: RegExp
  readonly act: (kill: Kill) => void
}

export interface CommandOptions {
  readonly cwd?: string
  readonly stdin?: string
  /** Standard input does not end with {@link CommandOptions.stdin}. */
  readonly keepStdinOpen?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Called once, when standard error matches for the first time. */
  readonly onceSaid?: Reaction
  /** The same for standard output. */
  readonly oncePrinted?: Reaction
  /** Called at once. */
  readonly onStart?: (kill: Kill) => void
  /** Stop reading standard output after its first bytes, as `head` does. */
  readonly closeStdoutEarly?: boolean
}

/** The file that npm links as `millrace`. */
export const launcher = fileURLToPath(new URL('../../cli/bin/millrace.mjs', import.meta.url))

/** The system's Node, where there is one that is too old for us. */
export const olderNode = findOlderNode()

/** Ends the title of a test that needs one, where there is none: why it is skipped. */
export const noOlderNode =
  olderNode === undefined ? ' (skipped: no Node older than 24 on this machine)' : ''

function findOlderNode(): string | undefined {
  const path = '/usr/bin/node'
  if (!existsSync(path)) return undefined
  const version = execFileSync(path, ['--version'], { encoding: 'utf8' })
  return Number(/^v(\d+)/.exec(version)?.[1]) < 24 ? path : undefined
}

/** Runs the real `millrace` in a process of its own and waits for its end. */
export function millrace(
  words: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  return node([launcher, ...words], options)
}

/** Runs this Node with the words given. */
export function node(words: readonly string[], options: CommandOptions = {}): Promise<Finished> {
  return runCommand(process.execPath, words, options)
}

/** Runs a program and waits for its end. */
export function runCommand(
  program: string,
  words: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  const { cwd, stdin = '', env } = options
  const { MILLRACE_LOG: _, FORCE_COLOR: __, ...inherited } = process.env
  const child = spawn(program, words, { cwd, env: { ...inherited, NO_COLOR: '1', ...env } })
  const kill: Kill = (signal) => void child.kill(signal)
  options.onStart?.(kill)
  const reactTo = once(options.onceSaid, kill)
  const reactToPrinted = once(options.oncePrinted, kill)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    reactToPrinted(stdout)
    if (options.closeStdoutEarly === true) child.stdout.destroy()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    reactTo(stderr)
  })
  child.stdin.on('error', () => {}).write(stdin)
  if (options.keepStdinOpen !== true) child.stdin.end()
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

function once(reaction: Reaction | undefined, kill: Kill): (said: string) => void {
  let left = reaction
  return (said) => {
    if (left?.text.test(said) !== true) return
    left.act(kill)
    left = undefined
  }
}
