import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Another program that loads a CSV file into the table `theirs`; resolves with why it can't, or nothing. */
export interface OtherLoader {
  readonly name: string
  /** Undefined when it is here; else what is missing. */
  missing(): Promise<string | undefined>
  load(url: string, file: string, directory: string): Promise<void>
}

const columns = ['date', 'delay', 'distance', 'origin', 'destination']

/** Debian has it as `pgloader`. */
export const pgloader: OtherLoader = {
  name: 'pgloader',
  missing: () => missing('pgloader', ['--version'], 'no pgloader here (apt-get install pgloader)'),
  async load(url, file, directory) {
    const commands = join(directory, 'pgloader.load')
    const fields = columns.join(', ')
    await writeFile(
      commands,
      `LOAD CSV FROM '${file}' HAVING FIELDS (${fields}) INTO ${url}
         TARGET TABLE public.theirs TARGET COLUMNS (${fields})
         WITH skip header = 1, fields terminated by ',', batch rows = 50000, prefetch rows = 200000;`,
    )
    const { stdout } = await run('pgloader', ['--quiet', '--root-dir', directory, commands])
    if (/ERROR|FATAL/.test(stdout)) throw new Error(`pgloader: ${stdout}`)
  },
}

/**
 * Python's `duckdb` with the `postgres` extension, which DuckDB itself downloads; where that is not
 * allowed, from the package `duckdb-ext-postgres` (of the same version as `duckdb`).
 */
export const duckdb: OtherLoader = {
  name: 'DuckDB, postgres extension',
  missing: () =>
    missing('python3', ['-c', duckdbScript('')], 'no DuckDB with its postgres extension here'),
  async load(url, file) {
    const script = duckdbScript(`
c.execute("ATTACH '${url}' AS pg (TYPE postgres)")
c.execute("COPY pg.public.theirs FROM '${file}' (FORMAT csv, HEADER)")`)
    await run('python3', ['-c', script])
  },
}

function duckdbScript(work: string): string {
  return `
import duckdb, glob, os
c = duckdb.connect(config={'allow_unsigned_extensions': 'true'})
try:
    c.execute('INSTALL postgres'); c.execute('LOAD postgres')
except Exception:
    import duckdb_ext
    [path] = glob.glob(os.path.join(list(duckdb_ext.__path__)[0], 'extensions/*/*/postgres_scanner*'))
    c.execute(f"LOAD '{path}'")
c.execute("SET TimeZone = 'UTC'")
${work}`
}

async function missing(
  program: string,
  words: string[],
  otherwise: string,
): Promise<string | undefined> {
  try {
    await run(program, words)
    return undefined
  } catch {
    return otherwise
  }
}
