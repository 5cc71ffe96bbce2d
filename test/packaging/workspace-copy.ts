import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const packages = {
  core: '@millrace/core',
  processors: '@millrace/processors',
  connectors: '@millrace/connectors',
  cli: 'millrace',
}

/** Folders of the packages that are published. */
export const publishedFolders: readonly string[] = Object.keys(packages)

/**
 * Copies what packing needs, so that packing (which swaps package.json for a moment) never disturbs
 * the checkout that other tests run in. Dependencies are linked, not copied.
 */
export function copyWorkspace(root: string, copy: string): void {
  for (const entry of [
    ...publishedFolders,
    'test/packaging',
    'tsconfig.base.json',
    'package.json',
    'LICENSE',
    'README.md',
  ]) {
    if (!existsSync(join(root, entry))) continue
    const options = { recursive: true, filter: (path: string) => !path.endsWith('/dist') }
    cpSync(join(root, entry), join(copy, entry), options)
  }
  linkDependencies(join(root, 'node_modules'), join(copy, 'node_modules'))
  mkdirSync(join(copy, 'node_modules/@millrace'))
  for (const [folder, name] of Object.entries(packages)) {
    symlinkSync(join(copy, folder), join(copy, 'node_modules', name))
  }
}

function linkDependencies(from: string, to: string): void {
  mkdirSync(to)
  for (const name of readdirSync(from)) {
    if (name !== '@millrace' && name !== 'millrace') symlinkSync(join(from, name), join(to, name))
  }
}
