/** What the process ends with; scripts rely on these, so they never change. */
export const exitCode = {
  ok: 0,
  /** Something failed; standard error says what. */
  failed: 1,
  /** The command line, the script or the configuration must be mended first. */
  usage: 2,
  /** Done, but some records went to the dead letters. */
  partial: 3,
  /** A server can't be reached, or somebody else holds what is needed. */
  unavailable: 4,
  /** Ctrl-C: what was in flight was finished and committed. */
  interrupted: 130,
  /** SIGTERM: the same. */
  terminated: 143,
} as const
