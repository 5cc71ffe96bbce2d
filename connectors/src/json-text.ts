/**
 * A value as JSON text that loses nothing: integers past 2^53 as their digits, bytes as base64, dates
 * as ISO 8601; JSON has no other form for them.
 */
export function jsonText(value: unknown): string {
  // Undefined is what a missing property gives.
  return JSON.stringify(value ?? null, plain)
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value))
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

// Node has it; TypeScript's library doesn't yet.
const rawJson = (JSON as unknown as { rawJSON: (this: void, text: string) => unknown }).rawJSON
