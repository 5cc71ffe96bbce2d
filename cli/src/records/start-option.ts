import { InvalidArgumentError } from 'commander'

/** Where in a partition reading starts. */
export type Start =
  | { readonly at: 'earliest' | 'latest' }
  | { readonly timestampMs: number }
  | { readonly offset: number }
  /** That many offsets before the end. */
  | { readonly last: number }

/** Reads `--offset`: `earliest`, `latest`, `1042`, `-10` (the last ten) or a time. */
export function startOption(text: string): Start {
  if (text === 'earliest' || text === 'latest') return { at: text }
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  if (/^-\d{1,15}$/.test(text)) return { last: -Number(text) }
  const timestampMs = Date.parse(text)
  if (/^\d{4}-\d\d/.test(text) && !Number.isNaN(timestampMs)) return { timestampMs }
  throw new InvalidArgumentError(
    'It is an offset, -N for the last N, earliest, latest, or a time such as 2026-01-31T12:00Z.',
  )
}
