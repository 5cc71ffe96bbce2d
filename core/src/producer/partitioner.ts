const MULTIPLIER = 0x5bd1e995
const SHIFT = 24
const SEED = 0x9747b28c

let textBytes = Buffer.allocUnsafe(256)

/**
 * The partition that Kafka's own producers choose for a key: murmur2 of its bytes, sign bit cleared,
 * modulo the number of partitions. Text counts as its UTF-8.
 */
export function partitionOfKey(key: Uint8Array | string, partitionCount: number): number {
  const hash = typeof key === 'string' ? murmur2OfText(key) : murmur2(key, key.length)
  return (hash & 0x7fffffff) % partitionCount
}

/** Chooses a partition from a record's key and value; gives an integer from 0 up to `partitionCount`. */
export type PartitionBy<K, V> = (key: K | null, value: V | null, partitionCount: number) => number

function murmur2OfText(text: string): number {
  const roomNeeded = text.length * 3
  if (roomNeeded > textBytes.length) textBytes = Buffer.allocUnsafe(roomNeeded)
  return murmur2(textBytes, textBytes.write(text))
}

/** MurmurHash2, 32 bit, of the first `length` bytes; signed, as in Kafka. */
export function murmur2(bytes: Uint8Array, length: number): number {
  let hash = SEED ^ length
  const wholeWords = length & ~3
  for (let at = 0; at < wholeWords; at += 4) {
    let word = readInt32LittleEndian(bytes, at)
    word = Math.imul(word, MULTIPLIER)
    word ^= word >>> SHIFT
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const rest = length - wholeWords
  if (rest > 2) hash ^= (bytes[wholeWords + 2] ?? 0) << 16
  if (rest > 1) hash ^= (bytes[wholeWords + 1] ?? 0) << 8
  if (rest > 0) hash = Math.imul(hash ^ (bytes[wholeWords] ?? 0), MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

function readInt32LittleEndian(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position] ?? 0) |
    ((bytes[position + 1] ?? 0) << 8) |
    ((bytes[position + 2] ?? 0) << 16) |
    ((bytes[position + 3] ?? 0) << 24)
  )
}
