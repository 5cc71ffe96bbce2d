/** Randomness; seeded in tests. */
export interface Random {
  /** Uniform integer in `[0, limit)`, for `limit` up to 2^32. */
  integer(limit: number): number
  /** A random (version 4) UUID in its usual text form. */
  uuid(): string
}
