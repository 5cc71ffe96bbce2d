import type { DeadLetterEntry } from '@millrace/processors'

/** What helps against a cause, by SQLSTATE or our own code; the first that matches. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^23502$/, 'Give the column a default or allow null, or have the producer send a value.'],
  [/^23503$/, 'Add the row that it refers to.'],
  [/^23505$/, 'Another row has this value: remove one of the two, or upsert by that key.'],
  [/^23/, 'Correct the record at its producer, or the constraint.'],
  [/^22001$|^22003$|^54/, 'Widen the column, or have the producer send less.'],
  [
    /^22/,
    'Correct the value at its producer, change the type of the column, or map it in the pipeline.',
  ],
  [
    /^P0/,
    'A trigger or function of the database refuses the row: correct the row, or the trigger.',
  ],
  [/^KEY_MISSING$/, 'The row has no value for the key of the upsert: filter such records out.'],
  [/^TOMBSTONE$/, 'Upsert by a key, or filter records without a value out.'],
  [/^CALLBACK_/, 'Correct the function of the pipeline that threw.'],
  [/^RECORD_INVALID$|^EVENT_TIME/, 'Correct the record at its producer, or the schema.'],
  [
    /^INPUT_MALFORMED$/,
    'Correct the line, and send it with millrace produce, or in a file that the pipeline reads.',
  ],
  [/^RECORD_TOO_LARGE$/, 'Raise maxMessageBytes: millrace topic alter TOPIC -c maxMessageBytes=…'],
]

/** What to do about a letter, as a sentence. */
export function adviceFor({ code }: Pick<DeadLetterEntry, 'code'>): string {
  const remedy = remedies.find(([pattern]) => pattern.test(code))
  return remedy?.[1] ?? 'Correct the record, or what refused it.'
}
