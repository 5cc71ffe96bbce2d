import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRows, temporaryFile } from '../testing/file-fixture.ts'
import { parquet } from './parquet.ts'

// The files: pyarrow 26, write_page_checksum=True, compression='none', data pages of version 1 and 2.
const rows = Array.from({ length: 200 }, (_, n) => ({ n: BigInt(n), s: `row ${n % 5}` }))

test.each(['1', '2'])(
  'a page that is not what was written is never read where it has a checksum (version %s)',
  async (version) => {
    const whole = await readFile(join(import.meta.dirname, `checksums-v${version}.parquet`))
    expect(await readRows(parquet(await temporaryFile(whole)))).toEqual(rows)
    const footer = whole.length - 8 - whole.readUInt32LE(whole.length - 8)
    let damaged = 0
    for (let byte = 4; byte + 4 < footer; byte += 5) {
      const bytes = Buffer.from(whole)
      bytes.fill(0, byte, byte + 4)
      if (bytes.equals(whole)) continue
      const path = await temporaryFile(bytes)
      const outcome = await readRows(parquet(path)).catch((error: unknown) => error)
      // Bytes that say nothing about the rows, such as statistics, may differ.
      if (Array.isArray(outcome)) expect(outcome, `byte ${byte}`).toEqual(rows)
      else expect(outcome, `byte ${byte}`).toMatchObject({ code: 'INPUT_DAMAGED' })
      if (!Array.isArray(outcome)) damaged++
    }
    expect(damaged).toBeGreaterThan(100)
  },
)
