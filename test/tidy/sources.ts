import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

/** Folders of the packages, those of the tests and benchmarks included. */
export const packages: readonly string[] = [
  'core',
  'processors',
  'connectors',
  'cli',
  'examples',
  'test',
  'bench',
]

/** A TypeScript file of the project and what it imports; local imports as paths from the root. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly imports: readonly string[]
}

/** Every TypeScript source of the workspace, tests included. */
export function sourceFiles(): SourceFile[] {
  return packages.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/(^|\/)(node_modules|dist)\//.test(name))
      .map((name) => read(join(folder, name))),
  )
}

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8')
  // A `/*` in the middle of a line may be a file pattern.
  const code = text.replaceAll(/^\s*\/\*[\s\S]*?\*\/|`(?:[^`\\]|\\.)*`/gm, '')
  const found = code.matchAll(
    /^\s*(?:import|export)\b[^'"\n;]*(?:\{[^}]*\}[^'"\n;]*)?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^\s*import\s+'([^']+)'/gm,
  )
  const imports = [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '')
  return { path, text, imports: imports.map((name) => locate(path, name)) }
}

function locate(from: string, name: string): string {
  return name.startsWith('.') ? relative(root, resolve(root, dirname(from), name)) : name
}
