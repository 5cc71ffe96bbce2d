interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
  readonly scripts?: unknown
  readonly devDependencies?: unknown
}

/**
 * A package's package.json as it is published: its exports point at the JavaScript in `dist`, since
 * Node strips no types below node_modules, and what only the workspace needs is left out.
 */
export function publishedManifest(source: Manifest): Record<string, unknown> {
  const { scripts: _, devDependencies: __, ...kept } = source
  const exports = Object.entries(source.exports).map(([path, file]) => [path, builtEntry(file)])
  return { ...kept, exports: Object.fromEntries(exports) as Record<string, unknown> }
}

function builtEntry(sourceFile: string): { types: string; default: string } {
  const built = sourceFile.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '')
  return { types: `${built}.d.ts`, default: `${built}.js` }
}
