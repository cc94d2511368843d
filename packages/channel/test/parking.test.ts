import { describe, expect, test } from 'vitest'
import { ParkingLot, within, type ParkingOwner } from '@sluice/channel'
import { manualClock } from '@sluice/clock'

interface Owner extends ParkingOwner<string> {
  readonly came: string[]
}

function owner(): Owner {
  const came: string[] = []
  return { parkedHandles: [], came, due: (ref, attempt) => came.push(`${ref} ${attempt}`) }
}

describe('a parking lot', () => {
  test('gives each event back to its own owner, with its attempt, when its own delay is over', () => {
    const clock = manualClock()
    const lot = new ParkingLot<string>(clock)
    const [one, two] = [owner(), owner()]
    lot.park(one, 'a', 1, 100)
    lot.park(two, 'b', 7, 50)
    lot.park(one, 'c', 2, 50)
    clock.advance(49)
    expect([...one.came, ...two.came]).toEqual([])
    clock.advance(10)
    expect(one.came).toEqual(['c 2'])
    expect(two.came).toEqual(['b 7'])
    expect(lot.size).toBe(1)
    expect(one.parkedHandles.map((handle) => lot.ref(handle))).toEqual(['a'])
    clock.advance(100)
    expect(one.came).toEqual(['c 2', 'a 1'])
    expect(one.parkedHandles).toEqual([])
  })

  test('gives up what one owner has, and nothing of another', () => {
    const clock = manualClock()
    const lot = new ParkingLot<string>(clock)
    const [one, two] = [owner(), owner()]
    for (let i = 0; i < 200; i++) lot.park(i % 2 === 0 ? one : two, `${i}`, 1, 10 + i)
    clock.advance(60)
    const given = lot.takeAll(one)
    expect(given.length + one.came.length).toBe(100)
    expect(new Set([...given, ...one.came.map((line) => line.split(' ')[0])]).size).toBe(100)
    const before = one.came.length
    clock.advance(1000)
    expect(one.came).toHaveLength(before)
    expect(two.came).toHaveLength(100)
    expect(lot.size).toBe(0)
  })

  test('once closed keeps no timer and takes nothing more', () => {
    const clock = manualClock()
    const lot = new ParkingLot<string>(clock)
    const one = owner()
    lot.park(one, 'a', 1, 10)
    lot.close()
    lot.park(one, 'b', 1, 10)
    clock.advance(1000)
    expect(one.came).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

describe('within', () => {
  test('is true when the work is done in time, and takes its timer back', async () => {
    const clock = manualClock()
    expect(await within(clock, 1000, Promise.resolve('done'))).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test('is false at the deadline', async () => {
    const clock = manualClock()
    const waited = within(clock, 1000, new Promise(() => {}))
    clock.advance(1000)
    expect(await waited).toBe(false)
  })

  test('rejects as the work does', async () => {
    await expect(within(manualClock(), 1000, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  })
})
