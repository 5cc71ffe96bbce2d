import { describe, expect, test } from 'vitest'
import { readHeader } from '../batch/header.ts'
import type { BatchHeader } from '../batch/header.ts'
import { batchOf } from '../testing/index.ts'
import { ProducerState } from './producer-state.ts'

function header(baseSequence: number, count = 1, producerEpoch = 0): BatchHeader {
  const values = Array.from({ length: count }, String)
  return readHeader(batchOf(values, { producerId: 9, producerEpoch, baseSequence }), 0)
}

/** A state that has seen batches of one record each, with sequence n at offset 100 + n. */
function seen(count: number): ProducerState {
  const state = new ProducerState()
  for (let sequence = 0; sequence < count; sequence++) state.add(header(sequence), 100 + sequence)
  state.keep()
  return state
}

describe('an idempotent producer', () => {
  test('is answered with the first offset when it repeats one of its last five batches', () => {
    for (const sequence of [5, 6, 7, 8, 9]) {
      expect(seen(10).add(header(sequence), 999)).toEqual({ baseOffset: 100 + sequence })
    }
  })

  test.each([
    ['an older batch', 4],
    ['a gap', 11],
  ])('is refused when it sends %s', (_, sequence) => {
    expect(() => seen(10).add(header(sequence), 999)).toThrow(/where 10 was due/)
  })

  test('must begin at zero where the log has seen nothing of it', () => {
    expect(() => seen(0).add(header(3), 0)).toThrow(/where 0 was due/)
    expect(seen(0).add(header(0), 0)).toBeUndefined()
  })

  test('begins at zero again in a new epoch, which fences the one before', () => {
    const state = seen(3)
    expect(() => state.add(header(3, 1, 1), 200)).toThrow(/where 0 was due/)
    expect(state.add(header(0, 1, 1), 200)).toBeUndefined()
    expect(() => state.add(header(3, 1, 0), 201)).toThrow(/was replaced/)
  })

  test('goes on at zero after the largest sequence', () => {
    const state = new ProducerState()
    state.note(header(2 ** 31 - 2, 2), 10)
    expect(state.add(header(0), 12)).toBeUndefined()
  })

  test('may send again what could not be written, however much that was', () => {
    const state = seen(10)
    for (let sequence = 10; sequence < 20; sequence++) state.add(header(sequence), 100 + sequence)
    state.rollBack()
    expect(state.add(header(9), 999)).toEqual({ baseOffset: 109 })
    expect(state.add(header(10), 110)).toBeUndefined()
  })

  test('is known by what recovery has noted, whatever group could not be written after', () => {
    const state = new ProducerState()
    state.note(header(0), 100)
    state.add(header(1), 101)
    state.rollBack()
    expect(state.add(header(0), 999)).toEqual({ baseOffset: 100 })
    expect(state.add(header(1), 101)).toBeUndefined()
  })

  test('is unknown again when its first batch could not be written', () => {
    const state = seen(0)
    state.add(header(0), 0)
    state.rollBack()
    expect(state.add(header(0), 0)).toBeUndefined()
  })
})
