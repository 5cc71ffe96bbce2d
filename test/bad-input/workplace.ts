import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type CommandOptions, type Finished, millrace } from '../cli/run-command.ts'

const modules = join(import.meta.dirname, '../../node_modules')

/** A user's folder: scripts in it find `millrace`, and its log is its own. */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), 'millrace-bad-input-'))

  constructor() {
    symlinkSync(modules, join(this.directory, 'node_modules'))
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.path(name), content)
  }

  millrace(words: readonly string[], options: CommandOptions = {}): Promise<Finished> {
    return millrace(words, { cwd: this.directory, ...options })
  }

  /** Runs a pipeline script quietly. */
  run(script: string, words: readonly string[] = [], options: CommandOptions = {}) {
    return this.millrace(['run', script, '--quiet', ...words], options)
  }

  /** Everything in a topic, as the objects that `consume` prints. */
  async records(topic: string, words: readonly string[] = []): Promise<ConsumedJson[]> {
    const all = ['consume', topic, '--from-beginning', '--exit', '-o', 'json', ...words]
    const { code, stdout, stderr } = await this.millrace(all)
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as ConsumedJson)
  }

  async values(topic: string, words: readonly string[] = []): Promise<unknown[]> {
    return (await this.records(topic, words)).map(({ value }) => value)
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export interface ConsumedJson {
  readonly key: unknown
  readonly value: unknown
  readonly headers?: readonly { readonly key: string; readonly value: unknown }[]
}

/**
 * The script that most of these users have: a file (or nothing) into the topic `rows`, and that on to
 * `sink`, an expression; without one, into the topic `out`.
 */
export function pipelineScript(parts: {
  readonly source?: string
  /** Options of the topic `rows`. */
  readonly topic?: string
  readonly step?: string
  readonly sink?: string
  readonly name?: string
}): string {
  const { source, topic = 'value: json<any>()', step, sink, name = 'job' } = parts
  const piped = step === undefined ? '' : `.pipe(${step})`
  return `
import { aggregate, count, csv, filter, json, keyBy, map, ndjson, parquet, pipeline, postgres, topic } from 'millrace'
import { z } from 'zod'

const rows = topic('rows', { ${topic} })
export default pipeline('${name}', ({ from }) => {
  ${source === undefined ? '' : `from(${source}).to(rows)`}
  from(rows)${piped}.to(${sink ?? "topic('out', { value: json<any>() })"})
})
`
}
