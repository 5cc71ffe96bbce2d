import { damagedFile } from './checkpoint.ts'

/** From which offset on a leader epoch wrote. */
export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** Name of Kafka's file that lists a partition's leader epochs. */
export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'

/** Which leader epoch wrote which offsets; every opening of the log is an epoch of its own. */
export class LeaderEpochs {
  readonly #starts: EpochStart[]

  constructor(starts: readonly EpochStart[] = []) {
    this.#starts = [...starts]
  }

  /** The newest epoch; −1 before the first. */
  get latest(): number {
    return this.#starts.at(-1)?.epoch ?? -1
  }

  /** The epoch that wrote `offset`; −1 when it lies before the first known one. */
  at(offset: number): number {
    const starts = this.#starts
    for (let index = starts.length - 1; index >= 0; index--) {
      const start = starts[index]
      if (start !== undefined && start.startOffset <= offset) return start.epoch
    }
    return -1
  }

  /** A copy in which `epoch` writes from `startOffset` on; epochs that wrote nothing are dropped. */
  begin(epoch: number, startOffset: number): LeaderEpochs {
    const kept = this.#starts.filter((start) => start.startOffset < startOffset)
    return new LeaderEpochs([...kept, { epoch, startOffset }])
  }

  /** Kafka's text: version, count, then a line per epoch. */
  encode(): Buffer {
    const lines = this.#starts.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`)
    return Buffer.from(`0\n${lines.length}\n${lines.join('')}`)
  }

  /** @throws CorruptDataError naming the file. */
  static decode(bytes: Uint8Array, path: string): LeaderEpochs {
    const lines = Buffer.from(bytes).toString('latin1').split('\n')
    const [version, count, ...rest] = lines
    if (version !== '0' || rest.pop() !== '' || count !== String(rest.length)) {
      throw damagedFile(path, 'it is no list of leader epochs')
    }
    const starts = rest.map((line) => decodeLine(line, path))
    const ascends = starts.every((start, index) => {
      const before = starts[index - 1]
      return (
        before === undefined ||
        (before.epoch < start.epoch && before.startOffset < start.startOffset)
      )
    })
    if (!ascends) throw damagedFile(path, 'its epochs do not ascend')
    return new LeaderEpochs(starts)
  }
}

function decodeLine(line: string, path: string): EpochStart {
  const match = /^(\d+) (\d+)$/.exec(line)
  if (match === null) throw damagedFile(path, `"${line}" is no epoch and offset`)
  return { epoch: Number(match[1]), startOffset: Number(match[2]) }
}
