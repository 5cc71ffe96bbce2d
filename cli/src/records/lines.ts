const newline = 0x0a
const carriageReturn = 0x0d

/**
 * Cuts a stream of bytes into lines, without their ends; a few thousand at a time, as they come.
 * A last line without an end counts, an empty rest does not.
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes: Buffer = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    const complete: Buffer[] = []
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      complete.push(bytes.subarray(start, bytes[end - 1] === carriageReturn ? end - 1 : end))
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (complete.length > 0) yield complete
  }
  if (rest.length > 0) yield [rest]
}
