import { parseArgs, type ParseArgsConfig } from 'node:util'

/** What a script was told: its options, as `parseArgs` gives them. Ends the process on `--help`, and on a mistake. */
export class CommandLine<const Config extends ParseArgsConfig> {
  readonly values: ReturnType<typeof parseArgs<Config>>['values']
  readonly #help: string

  /** @param help usage and options, shown on `--help` and after a mistake. */
  constructor(help: string, config: Config) {
    this.#help = help
    if (process.argv.some((word) => word === '--help' || word === '-h')) {
      console.log(help)
      process.exit(0)
    }
    try {
      this.values = parseArgs(config).values
    } catch (error) {
      this.refuse(error instanceof Error ? error.message : String(error))
    }
  }

  /** A whole number of at least `min`. */
  count(option: string, text: string, min = 1): number {
    if (!/^\d+$/.test(text)) this.refuse(`--${option} takes a whole number, not "${text}".`)
    return this.#atLeast(option, text, min)
  }

  /** A number above zero, maybe with a fraction. */
  amount(option: string, text: string): number {
    if (!/^\d+(\.\d+)?$/.test(text)) this.refuse(`--${option} takes a number, not "${text}".`)
    return this.#atLeast(option, text, Number.MIN_VALUE)
  }

  /** Says what is wrong and how it is right; exit code 2. */
  refuse(mistake: string): never {
    console.error(`✗ ${mistake}\n\n${this.#help}`)
    process.exit(2)
  }

  #atLeast(option: string, text: string, min: number): number {
    const value = Number(text)
    if (value < min) this.refuse(`--${option} must be ${min < 1 ? 'above 0' : `at least ${min}`}.`)
    return value
  }
}
