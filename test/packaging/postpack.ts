// Runs after `npm pack` in a package's folder: leaves it as the workspace knows it.
import { existsSync, renameSync, rmSync } from 'node:fs'
import { rootFiles, sourceManifest } from './pack-files.ts'

if (existsSync(sourceManifest)) renameSync(sourceManifest, 'package.json')
for (const file of [...rootFiles, 'dist']) rmSync(file, { recursive: true, force: true })
