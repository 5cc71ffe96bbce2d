// Runs before `npm pack` in a package's folder: builds `dist` and swaps package.json for the published
// one. postpack.ts takes it back.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publishedManifest } from './manifest.ts'
import { rootFiles, sourceManifest } from './pack-files.ts'

const folder = process.cwd()
const root = resolve(folder, '..')

buildInto(join(folder, 'dist'))
for (const file of rootFiles) {
  if (existsSync(join(root, file))) cpSync(join(root, file), join(folder, file))
}
// A pack that was killed may have left its backup, which is then the true package.json.
if (!existsSync(sourceManifest)) renameSync('package.json', sourceManifest)
const source: unknown = JSON.parse(readFileSync(sourceManifest, 'utf8'))
const published = publishedManifest(source as Parameters<typeof publishedManifest>[0])
writeFileSync('package.json', `${JSON.stringify(published, null, 2)}\n`)

/** Compiles all packages at once, because they see each other's sources, and keeps this one's part. */
function buildInto(dist: string): void {
  const built = mkdtempSync(join(tmpdir(), 'millrace-build-'))
  try {
    const project = fileURLToPath(new URL('tsconfig.build.json', import.meta.url))
    const compiler = join(root, 'node_modules/.bin/tsc')
    execFileSync(compiler, ['-p', project, '--outDir', built], { stdio: ['ignore', 2, 2] })
    rmSync(dist, { recursive: true, force: true })
    cpSync(join(built, basename(folder), 'src'), dist, { recursive: true })
  } finally {
    rmSync(built, { recursive: true, force: true })
  }
}
