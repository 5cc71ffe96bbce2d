import { defineSerde, type Serde } from './serde.ts'

export function json<T = unknown>(): Serde<T> {
  return defineSerde<T>({
    name: 'json',
    encode: (value) => JSON.stringify(value),
    decode: (buffer, start, end) => JSON.parse(buffer.toString('utf8', start, end)) as T,
  })
}
