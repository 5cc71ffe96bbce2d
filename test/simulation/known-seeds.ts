/** A seed that once found a bug in the log; every run lives it again. */
export interface KnownSeed {
  readonly seed: number
  readonly found: string
}

export const knownSeeds: readonly KnownSeed[] = [
  { seed: 89, found: 'errors of the disk came out raw where it could not be read' },
  { seed: 158, found: 'a flush was refused because somebody else had found the disk full' },
  { seed: 1093, found: 'closing a log whose disk had failed never ended' },
  { seed: 1112, found: 'closing a log whose disk had failed never ended' },
  { seed: 174, found: 'a batch was called refused and came back after a restart' },
  { seed: 906, found: 'a batch was called refused and came back after a restart' },
  { seed: 2278, found: 'the data directory itself was lost: its parent was never synced' },
]
