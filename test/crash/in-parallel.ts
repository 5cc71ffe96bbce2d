/** Does the work for each item, a few at once; rejects with the first failure. */
export async function inParallel<T>(
  atOnce: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]()
  const next = async () => {
    for (let item = left.next(); item.done !== true; item = left.next()) await work(item.value)
  }
  await Promise.all(Array.from({ length: atOnce }, next))
}
