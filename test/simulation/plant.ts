import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

/** A change to a file of the log, made while it is loaded. */
export interface Edit {
  readonly file: string
  /** Text that stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Root of the repository. */
const root = new URL('../../', import.meta.url)

/** How often an edit's text stands in its file; it can be made when that is once. */
export function timesFound({ file, find }: Edit): number {
  return readFileSync(new URL(file, root), 'utf8').split(find).length - 1
}

/**
 * From now on the files are loaded as edited; what is loaded already stays as it is.
 *
 * @throws Error when the text of an edit is no longer there.
 */
export function loadEdited(edits: readonly Edit[]): void {
  for (const edit of edits) {
    if (timesFound(edit) !== 1) throw new Error(`${edit.file} no longer holds once: ${edit.find}`)
  }
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const here = edits.filter(({ file }) => new URL(file, root).href === url)
      if (here.length === 0) return loaded
      let source = readFileSync(new URL(url), 'utf8')
      for (const { find, replace } of here) source = source.replace(find, () => replace)
      return { ...loaded, source }
    },
  })
}
