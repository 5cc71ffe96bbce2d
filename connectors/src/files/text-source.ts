import { resolve } from 'node:path'
import type { Column, SourceContext, SourceReader } from '@millrace/processors'
import type { OpenFile } from './dataset/dataset.ts'
import type { FileSource } from './file-source.ts'
import { openLimited } from './limited.ts'
import type { LiveKind } from './live/follow.ts'
import { STDIN, sourceName } from './live/source-name.ts'
import type { FileRecord } from './text/lenient-decoder.ts'

/** What all text formats can be told. */
interface TextSourceOptions {
  readonly limit?: number
  readonly follow?: boolean
}

/**
 * A source of text: a file, or several, one that grows, or standard input.
 *
 * @param openFile Opens a file that doesn't grow; `like` are the columns of the first of several.
 */
export function textSource<Row>(
  path: string,
  kind: LiveKind,
  { limit, follow = false }: TextSourceOptions,
  openFile: (
    path: string,
    context: SourceContext,
    isLenient: boolean,
    like: readonly Column[],
  ) => Promise<SourceReader<FileRecord>>,
): FileSource<Row> {
  const open = async (isLenient: boolean, context: SourceContext) => {
    const live = { ...kind, isLenient }
    // The parsers are loaded when a file is read, not whenever a pipeline is described.
    if (path === STDIN) return (await import('./live/stdin.ts')).openStdin(live, context)
    if (follow) return (await import('./live/follow.ts')).openFollowed(path, live, context)
    const { findFiles } = await import('./dataset/find-files.ts')
    const files = await findFiles(path, kind.format)
    if (files === undefined) return openFile(path, context, isLenient, [])
    const { openDataset } = await import('./dataset/dataset.ts')
    const openOne: OpenFile = (file, inner, like) => openFile(file, inner, isLenient, like)
    return openDataset(path, files, openOne, context)
  }
  return {
    kind: 'source',
    name: sourceName(kind.format, path),
    bounded: !follow || path === STDIN,
    path: path === STDIN ? STDIN : resolve(path),
    open: async (context) =>
      (await openLimited((inner) => open(false, inner), limit, context)) as SourceReader<Row>,
    openLenient: (context) => openLimited((inner) => open(true, inner), limit, context),
  }
}
