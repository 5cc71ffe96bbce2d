/** A fault put into the log's code, to show that the simulation finds it. */
export interface PlantedBug {
  /** The row of the list of failure modes that it stands for. */
  readonly name: string
  readonly file: string
  /** Text that stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Each must be found by the simulation alone. */
export const plantedBugs: readonly PlantedBug[] = []
