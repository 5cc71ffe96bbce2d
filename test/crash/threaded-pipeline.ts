// What the threads of a life import: the pipeline of the world that the process was started for.
import type { LifeOptions } from './life.ts'
import { crashedPipeline } from './pipelines.ts'

const world = JSON.parse(process.argv[2] ?? '{}') as LifeOptions

export default crashedPipeline(world.pipeline, world)
