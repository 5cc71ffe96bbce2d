import { RejectedError, UsageError } from '@millrace/core'

/** What to do next depends on what is stored, which is known at the end only. */
export function explained(error: unknown, rowsStored: number): unknown {
  if (error instanceof UsageError && error.code === 'INPUT_CHANGED') {
    const next =
      'If it only grew after all of it was loaded, put the new records into a file of their own and ' +
      'load that. To load the whole content beside the old, give this load another name (--name).'
    const { code, facts } = error
    return new UsageError(code, `${error.message} ${next}`, { cause: error, facts })
  }
  if (!(error instanceof RejectedError) || error.code !== 'ROW_REFUSED') return error
  const { code, facts } = error
  const next = 'rejectsMax' in facts ? afterTooMany : `${typeHint(facts)}${nextStep(rowsStored)}`
  const message = `${error.message}. ${next}`
  return new RejectedError(code, message, { cause: error, facts })
}

const afterTooMany =
  'Those of finished transactions are in the file. Load again with a higher --max-rejects to go on.'

/** The table may have been made from a sample that had no such value. */
function typeHint({ column, code }: Readonly<Record<string, unknown>>): string {
  if (typeof column !== 'string' || typeof code !== 'string' || !code.startsWith('22')) return ''
  return `If the type of a new table is wrong, drop it and make it with --type ${column}=text. `
}

/** What to do about a row that the table refuses; a corrected file is another file. */
function nextStep(rowsStored: number): string {
  if (rowsStored === 0) {
    return (
      'Nothing of the file was stored. Correct the row, or the table, and load again; or have such ' +
      'rows kept in a file: --rejects FILE.'
    )
  }
  return (
    `${rowsStored} rows of the file are stored. Load again to go on: with --rejects FILE, which keeps ` +
    'such rows, or after a change of the table. To load a corrected file instead, empty the table ' +
    'and give the load another name.'
  )
}
