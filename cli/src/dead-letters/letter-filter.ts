import { type DeadLetterEntry } from '@millrace/processors'
import { InvalidArgumentError, Option } from 'commander'

/** Which letters a command is about. */
export interface LetterFilter {
  readonly cause?: string
  readonly offset?: OriginOffset
}

/** A record's place in the topic that it came from. */
export interface OriginOffset {
  readonly partition: number
  readonly offset: number
}

/** `--cause` and `--offset`. */
export function letterFilterOptions(): readonly Option[] {
  return [
    new Option(
      '--cause <text>',
      'only those with this code, at this place, or with this text in their cause',
    ),
    new Option(
      '--offset <partition:offset>',
      'only that of this record of the topic it came from',
    ).argParser(originOffset),
  ]
}

function originOffset(text: string): OriginOffset {
  const [, partition, offset] = /^(\d{1,9}):(\d{1,15})$/.exec(text) ?? []
  if (partition === undefined) {
    throw new InvalidArgumentError('It is PARTITION:OFFSET, such as 0:1042, as dlq show prints it.')
  }
  return { partition: Number(partition), offset: Number(offset) }
}

/** Whether a letter is one that was asked for. */
export function acceptsLetter({ cause, offset }: LetterFilter, letter: DeadLetterEntry): boolean {
  if (offset !== undefined) {
    const { origin } = letter
    if (origin.partition !== offset.partition || letter.offset !== offset.offset) return false
  }
  if (cause === undefined || letter.code === cause || letter.at === cause) return true
  const words = [letter.cause, letter.column ?? '', letter.constraint ?? ''].join('\n')
  return words.toLowerCase().includes(cause.toLowerCase())
}
