import type { Edit } from './plant.ts'

/** A fault put into the log's code, to show that the simulation finds it. */
export interface PlantedBug extends Edit {
  /** The failure mode of other systems that it stands for. */
  readonly name: string
}

/** Each must be found by the simulation alone. */
export const plantedBugs: readonly PlantedBug[] = []
