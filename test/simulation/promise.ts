/** Thrown when the log and the model disagree: the log has a bug. */
export class BrokenPromise extends Error {
  override name = 'BrokenPromise'
}

/** Says that the log broke a promise, unless `condition` holds. */
export function promise(condition: boolean, broken: () => string): asserts condition {
  if (!condition) throw new BrokenPromise(broken())
}
