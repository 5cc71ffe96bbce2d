import { describe, expect, it } from 'vitest'
import { batchMemory } from './batch-memory.ts'

const LARGE = 1024 * 1024

describe('memory of batches', () => {
  it('is used again once it was given back, and only once', () => {
    const first = batchMemory.take(LARGE)
    batchMemory.giveBack(first.subarray(0, 10))
    batchMemory.giveBack(first)
    const second = batchMemory.take(LARGE - 1)
    const third = batchMemory.take(LARGE)
    expect(second.buffer).toBe(first.buffer)
    expect(third.buffer).not.toBe(first.buffer)
    batchMemory.giveBack(second)
    batchMemory.giveBack(third)
  })

  it('is never that of somebody else', () => {
    const foreign = Buffer.allocUnsafeSlow(LARGE)
    batchMemory.giveBack(foreign)
    const taken = [batchMemory.take(LARGE), batchMemory.take(LARGE), batchMemory.take(LARGE)]
    expect(taken.map(({ buffer }) => buffer)).not.toContain(foreign.buffer)
  })

  it('that was moved to another thread is not given out', () => {
    const moved = batchMemory.take(LARGE)
    structuredClone(moved.buffer, { transfer: [moved.buffer as ArrayBuffer] })
    batchMemory.giveBack(moved)
    expect(batchMemory.take(LARGE).length).toBe(LARGE)
  })

  it('is kept up to a limit', () => {
    const taken = Array.from({ length: 40 }, () => batchMemory.take(LARGE))
    for (const buffer of taken) batchMemory.giveBack(buffer)
    const again = new Set(Array.from({ length: 40 }, () => batchMemory.take(LARGE).buffer))
    expect(taken.filter(({ buffer }) => again.has(buffer)).length).toBeLessThanOrEqual(16)
  })

  it('that was borrowed goes back to its lender, once, and to nobody else', () => {
    const borrowed = Buffer.allocUnsafeSlow(LARGE)
    const returned: ArrayBuffer[] = []
    batchMemory.borrow(borrowed, (memory) => returned.push(memory))
    batchMemory.giveBack(borrowed.subarray(7))
    batchMemory.giveBack(borrowed)
    expect(returned).toEqual([borrowed.buffer])
    const taken = Array.from({ length: 40 }, () => batchMemory.take(LARGE))
    expect(taken.map(({ buffer }) => buffer)).not.toContain(borrowed.buffer)
  })

  it('that has come back from another thread is used again, unless it is of no use', () => {
    const memory = [new ArrayBuffer(LARGE), new ArrayBuffer(LARGE + 1), new ArrayBuffer(10)]
    for (const each of memory) batchMemory.comeBack(each)
    const taken = Array.from({ length: 40 }, () => batchMemory.take(LARGE).buffer)
    expect(memory.map((each) => taken.includes(each))).toEqual([true, false, false])
  })
})
