/** A seed that once found a bug in the log; every run lives it again, as lives are by now. */
export interface KnownSeed {
  readonly seed: number
  readonly found: string
}

export const knownSeeds: readonly KnownSeed[] = [
  { seed: 1, found: 'a retry was answered with the epoch of now, not of the record' },
  { seed: 89, found: 'errors of the disk came out raw where it could not be read' },
  { seed: 158, found: 'a flush was refused because somebody else had found the disk full' },
  { seed: 174, found: 'a batch was called refused and came back after a restart' },
  { seed: 906, found: 'the same' },
  { seed: 1797, found: 'the same' },
  { seed: 325, found: 'a segment was read after its file had been closed' },
  { seed: 814, found: 'records expired early after the wall clock had been set back' },
  { seed: 1093, found: 'closing a log whose disk had failed never ended' },
  { seed: 1112, found: 'the same' },
  { seed: 2278, found: 'the data directory itself was lost: its parent was never synced' },
  { seed: 3919, found: 'the name of a deleted topic could not be used again' },
  { seed: 4348, found: 'a trim was answered with a start that was not durable' },
  {
    seed: 5147,
    found: 'a watermark that a full disk had kept stale stayed so over an idle opening',
  },
  { seed: 21611, found: 'each power loss made all records a minute older' },
  { seed: 274, found: 'a batch refused for want of room came back when the power went' },
  {
    seed: 65,
    found: 'a commit was seen beside the owner, but not all of it: no room for a watermark',
  },
  { seed: 41, found: 'after a power loss a reader believed a watermark that was too old' },
  { seed: 2736, found: 'a reader lost decisions while the journal was compacted' },
  { seed: 95, found: 'an opening that failed left files open' },
  {
    seed: 4505,
    found:
      'a reader saw what was not synced yet: a change of topics had undone the note of the recovery',
  },
]
