// The pipeline that the tests of threads run; MEASURED_MODE says what goes wrong in it.
import {
  aggregate,
  count,
  generate,
  json,
  keyBy,
  pipeline,
  sum,
  tap,
  topic,
  tumbling,
  window,
} from 'millrace'

/** What a sensor measured. */
export interface Measured {
  readonly sensor: string
  readonly room: string
  readonly at: number
  readonly value: number
}

export const readings = 6000

/** Every so many a record is far too late for its window. */
export const lateEvery = 1000

/** The record at which things go wrong, when they are to. */
const fatal = 4321

const mode = process.env['MEASURED_MODE']

const measured = topic('measured', {
  value: json<Measured>(),
  key: 'sensor',
  time: 'at',
  partitions: 4,
})
const byMinute = topic('by-minute', { value: json(), partitions: 4 })
const byRoom = topic('by-room', { value: json(), partitions: 2 })

export default pipeline('measured', ({ from }) => {
  from(generate({ count: readings, record: reading })).to(measured)

  from(measured)
    .pipe(
      tap((one) => misbehave(one)),
      window(tumbling('1m', { grace: '1m' })),
      aggregate({ readings: count(), total: sum((one) => one.value) }),
    )
    .to(byMinute)

  from(measured)
    .pipe(keyBy('room'), aggregate({ readings: count(), total: sum((one) => one.value) }))
    .to(byRoom)
})

function reading(i: number): Measured {
  const isLate = i > readings / 2 && i % lateEvery === 0
  return {
    sensor: `sensor ${i % 13}`,
    room: `room ${i % 5}`,
    at: 1_000_000_000_000 + (isLate ? 0 : i * 1000),
    value: i,
  }
}

function misbehave({ value }: Measured): void {
  if (value !== fatal) return
  if (mode === 'throw') throw new TypeError('no such reading')
  if (mode === 'exit') process.exit(7)
  if (mode === 'uncaught') setTimeout(() => raise('thrown by nobody'))
  if (mode === 'memory') exhaust()
}

function raise(message: string): never {
  throw new Error(message)
}

function exhaust(): void {
  const kept: number[][] = []
  for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5))
}
