import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { plantedBugs } from './planted-bugs.ts'

/** Root of the repository. */
const root = new URL('../../', import.meta.url)

/** Source of the file that a planted bug changes. */
export function sourceOf(file: string): string {
  return readFileSync(new URL(file, root), 'utf8')
}

/** From now on the file is loaded with the bug in it; what is loaded already stays as it is. */
export function plant(name: string): void {
  const bug = plantedBugs.find((one) => one.name === name)
  if (bug === undefined) throw new Error(`there is no planted bug ${name}`)
  const target = new URL(bug.file, root).href
  let isPlanted = false
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      isPlanted = true
      const source = sourceOf(bug.file)
      return { ...loaded, source: source.replace(bug.find, bug.replace) }
    },
  })
  process.once('exit', () => {
    if (!isPlanted) throw new Error(`${fileURLToPath(target)} was never loaded`)
  })
}
