import { join } from 'node:path'

/**
 * Environment for the processes of many short lives: they share their compiled modules, whose parsing
 * would be most of such a life.
 */
export const compileCache: NodeJS.ProcessEnv = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/millrace-lives'),
}
