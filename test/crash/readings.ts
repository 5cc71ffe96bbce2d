/** What a sensor in a room measured. */
export interface Reading {
  readonly n: number
  readonly sensor: string
  readonly room: string
  readonly value: number
  /** Milliseconds since 1970. */
  readonly time: number
}

const COUNT = 2400
const SENSORS = 12
const ROOMS = 5
const START_MS = Date.UTC(2001, 0, 1)
const STEP_MS = 1000
// Within the grace of the windows, so that none of the shuffled ones is late.
const SHUFFLED_BY_MS = 40_000
const LATE_BY_MS = 600_000
const LATE_EVERY = 100

/** The same readings every time: shuffled within the grace of the windows, one in a hundred far too late. */
export const readings: readonly Reading[] = makeReadings()

function makeReadings(): Reading[] {
  const random = randomNumbers(20011)
  return Array.from({ length: COUNT }, (_, n) => {
    const isLate = n > COUNT / 2 && n % LATE_EVERY === 0
    const shift = isLate ? LATE_BY_MS : random(SHUFFLED_BY_MS)
    return {
      n,
      sensor: `sensor-${random(SENSORS)}`,
      room: `room-${random(ROOMS)}`,
      value: random(1000),
      time: START_MS + LATE_BY_MS + n * STEP_MS - shift,
    }
  })
}

/** Uniform integers below a limit, from a seed (a linear congruential generator). */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
