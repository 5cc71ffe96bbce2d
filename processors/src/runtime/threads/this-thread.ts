/** What kind of thread this is. */
export const thisThread = {
  /** It runs stages for another one, so importing a script must start nothing here. */
  runsStages: false,
}
