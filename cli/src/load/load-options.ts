import { type Command, Option } from 'commander'
import { columnList, type Pair, pairs } from '../columns-option.ts'
import { positiveInteger } from '../numbers.ts'

/** What `millrace load` can be told. */
export interface LoadCommandOptions {
  readonly to?: string
  readonly table: string
  readonly mode?: 'append' | 'upsert'
  readonly key?: readonly string[]
  readonly create?: boolean
  readonly format?: 'parquet' | 'csv' | 'ndjson'
  readonly connections?: number
  readonly columns?: readonly string[]
  readonly header?: boolean
  readonly rename?: readonly Pair[]
  readonly skip?: readonly string[]
  readonly type?: readonly Pair[]
  readonly delimiter?: string
  readonly quote?: string
  readonly null?: string
  readonly rejects?: string
  readonly maxRejects?: number
  readonly fromTable?: string
  readonly query?: string
  readonly dryRun?: boolean
  readonly name?: string
  readonly quiet?: boolean
}

/** Gives the command its options. */
export function addLoadOptions(command: Command): void {
  addTarget(command)
  addInput(command)
  command
    .option('--rejects <file>', 'keep records that the table refuses here, and go on')
    .option('--max-rejects <n>', 'end when there are more', positiveInteger)
    .option('--connections <n>', 'transactions at once (default 2; upserts: 1)', positiveInteger)
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--name <name>', 'what the load is remembered by; another name loads the files again')
    .option('-q, --quiet', 'no progress')
}

function addTarget(command: Command): void {
  command
    .addOption(new Option('--to <url>', 'the database, as postgres://…').env('DATABASE_URL'))
    .requiredOption('--table <name>', 'table, or schema.table')
    .addOption(
      new Option(
        '--mode <mode>',
        'a row for each record, or one for each key (default with --key)',
      ).choices(['append', 'upsert']),
    )
    .option('--key <columns>', 'what identifies a row: columns, separated by commas', columnList)
    .option('--create', 'make the table when it is missing')
}

function addInput(command: Command): void {
  command
    .addOption(
      new Option('--format <format>', "of the files; default by their names' endings").choices([
        'parquet',
        'csv',
        'ndjson',
      ]),
    )
    .option(
      '--columns <names>',
      "names of a file's columns in order, in place of its own",
      columnList,
    )
    .option('--no-header', 'CSV: the first line is a record')
    .option('--rename <old=new>', 'load a column under another name; may be repeated', pairs)
    .option('--skip <columns>', 'leave columns out', columnList)
    .option('--type <column=type>', 'type of a column of a new table; may be repeated', pairs)
    .option('--delimiter <character>', 'CSV: between fields; tab as \\t (default: as in line 1)')
    .option('--quote <character>', "CSV: around fields; '' for none (default \")")
    .option(
      '--null <text>',
      'CSV: what an unquoted field holds when it means null (default: nothing)',
    )
    .option('--from-table <name>', 'of a database: the table to load')
    .option('--query <sql>', 'of a database: what to load')
}
