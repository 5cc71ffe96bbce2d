/** Throws an error that names the broken promise unless it holds. */
export function expectThat(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(broken)
}
