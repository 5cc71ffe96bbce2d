import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Starts the soak first: at the end it would run alone. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => moduleId.includes('/test/soak/')
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}
