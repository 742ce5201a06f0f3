/** Long work gives the event loop its turns, and waits for what is busy without holding anything up. */
import { describe, expect, test } from 'bun:test'
import { finish, nextTurn, patiently, Turns } from '../../src/time/turns.ts'

/** Keeps the thread for as long as a turn may be, and a little more. */
function work(milliseconds = 4): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

test('the next turn is behind everything that waits', async () => {
  const order: string[] = []
  setImmediate(() => order.push('waited'))
  await nextTurn()
  expect(order).toEqual(['waited'])
})

test('a turn is over after some milliseconds, and a new one begins with the next', async () => {
  const turns = new Turns()
  expect(turns.isOver).toBe(false)
  work()
  expect(turns.isOver).toBe(true)
  await turns.next()
  expect(turns.isOver).toBe(false)
})

describe('patiently', () => {
  test('tries again until the lock is free', async () => {
    let busy = 3
    let ticks = 0
    const ticking = setInterval(() => ticks++, 0)
    expect(await patiently(() => (busy-- > 0 ? undefined : 'free'))).toBe('free')
    clearInterval(ticking)
    expect(ticks).toBeGreaterThan(0)
  })

  test('gives up when it stays busy', async () => {
    let tries = 0
    const attempt = () => {
      tries++
      return undefined
    }
    await expect(patiently(attempt, 20)).rejects.toThrow(
      'a part of the swarm stayed locked for 20 ms',
    )
    expect(tries).toBeGreaterThan(1)
  })
})

describe('work in slices', () => {
  test('is done to its end, with turns between long slices', async () => {
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    function* slices() {
      for (let i = 0; i < 5; i++) {
        work()
        yield
      }
      return turns
    }
    expect(await finish(slices())).toBeGreaterThan(1)
    clearInterval(counting)
  })

  test('waits at a slice that finds a lock busy, and gives up like everything else', async () => {
    let busy = 2
    function* slices(): Generator<boolean, string, void> {
      while (busy > 0) yield busy-- < 0
      return 'done'
    }
    expect(await finish(slices())).toBe('done')
    busy = Number.POSITIVE_INFINITY
    await expect(finish(slices(), 10)).rejects.toThrow('stayed locked for 10 ms')
  })

  test('ends with the error of a slice', async () => {
    function* slices() {
      yield
      throw new Error('broken')
    }
    await expect(finish(slices())).rejects.toThrow('broken')
  })
})
