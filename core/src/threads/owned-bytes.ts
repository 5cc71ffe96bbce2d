/** Node hands out small buffers from a common pool; what is larger than it has memory of its own. */
const POOL_BYTES = Math.max(Buffer.poolSize, 64 * 1024)

/** Bytes as they may be posted: a view on a larger piece of memory would take all of it along. */
export function tight(bytes: Uint8Array): Uint8Array {
  const isWhole = bytes.byteLength * 2 >= bytes.buffer.byteLength
  return isWhole ? bytes : Uint8Array.from(bytes)
}

/**
 * The memory behind bytes that nobody uses here any more, to be moved instead of copied; undefined when
 * it may be shared with others.
 */
export function movable(bytes: Uint8Array): ArrayBuffer | undefined {
  const { buffer } = bytes
  return buffer instanceof ArrayBuffer && buffer.byteLength > POOL_BYTES ? buffer : undefined
}
