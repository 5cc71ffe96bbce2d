import type { SeededRandom } from './seeded-random.ts'

/** A call of the simulated file system. */
export interface DiskOperation {
  readonly kind: DiskOperationKind
  readonly path: string
  /** Place among all operations of this process, from 1. */
  readonly ordinal: number
}

/** What a simulated file system is asked to do. */
export type DiskOperationKind =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  /** A write within the file: even a full disk has room for it. */
  | 'overwrite'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'syncDirectory'
  | 'inspect'

/**
 * `short`: a read or write takes only a part. `EIO`, `ENOSPC`: it fails; a failed write may have
 * written a part, a failed sync any part, and the next sync will not try again. `slow`: it finishes
 * long after the others. `EMFILE`: the process has no descriptor left, so nothing was tried.
 */
export type Fault = 'short' | 'slow' | 'EIO' | 'ENOSPC' | 'EMFILE'

/** Decides whether an operation fails. */
export type FaultPlan = (operation: DiskOperation) => Fault | undefined

/** A disk without faults. */
export const noFaults: FaultPlan = () => undefined

/** The operation with this ordinal fails, and no other. */
export function failAt(ordinal: number, fault: Fault): FaultPlan {
  return (operation) => (operation.ordinal === ordinal ? fault : undefined)
}

/** Chances of a fault, each once in so many operations that it can befall; 0 is never. */
export interface FaultRates {
  readonly short: number
  readonly slow: number
  readonly readEio: number
  readonly writeEio: number
  readonly syncEio: number
  readonly enospc: number
}

const changing: ReadonlySet<DiskOperationKind> = new Set(['create', 'write', 'truncate'])
const syncing: ReadonlySet<DiskOperationKind> = new Set(['sync', 'syncDirectory'])

/** Faults at random moments. */
export function randomFaults(random: SeededRandom, rates: FaultRates): FaultPlan {
  const happens = (oneIn: number): boolean => oneIn > 0 && random.chance(oneIn)
  return ({ kind }) => {
    if (kind === 'read' && happens(rates.readEio)) return 'EIO'
    if (changing.has(kind) && happens(rates.enospc)) return 'ENOSPC'
    if ((changing.has(kind) || kind === 'overwrite') && happens(rates.writeEio)) return 'EIO'
    if (syncing.has(kind) && happens(rates.syncEio)) return 'EIO'
    if (['read', 'write', 'overwrite'].includes(kind) && happens(rates.short)) return 'short'
    return happens(rates.slow) ? 'slow' : undefined
  }
}
