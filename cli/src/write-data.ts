import { once } from 'node:events'

/** Writes to standard output and waits while whoever reads it is behind. */
export async function writeData(data: Uint8Array): Promise<void> {
  if (!process.stdout.write(data)) await once(process.stdout, 'drain')
}
