const drainMs = 10_000

/** A transaction under way is given time to commit, before the sink is told to stop too. */
export function afterDraining(signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const stop = (): void => void setTimeout(() => controller.abort(signal.reason), drainMs).unref()
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return controller.signal
}
