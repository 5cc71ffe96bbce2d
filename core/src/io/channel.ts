/** What the other end of a {@link Channel} does. */
export interface ChannelEvents {
  readonly onMessage: (message: unknown) => void
  /** The other end closed, or its thread is gone; nothing comes any more. */
  readonly onClose: () => void
}

/** One end of a line to another thread. Messages are plain data and arrive in order, or never. */
export interface Channel {
  /** Copies the message, except for the buffers in `transfer`, which move and are empty here afterwards. */
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void
  /** Begins to receive. A channel that is listened to keeps its thread running unless it is idle. */
  listen(events: ChannelEvents): void
  /** Whether something is awaited: an idle channel does not keep its thread running. */
  setIdle(isIdle: boolean): void
  /** What was posted before still arrives. */
  close(): void
}
