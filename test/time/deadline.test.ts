/** Late, in time, or never begun; and nothing is left behind. */
import { afterEach, describe, expect, setSystemTime, test } from 'bun:test'
import { join } from 'node:path'
import { Deadline, LONGEST_TIMER_MILLISECONDS, TooLate } from '../../src/time/deadline.ts'

const never = () => new Promise<never>(() => undefined)
const HOUR = 3_600_000

describe('work that is in time', () => {
  test('resolves with its value', async () => {
    expect(await Deadline.in(HOUR).run(async () => 7)).toBe(7)
    expect(await Deadline.in(HOUR).waitFor(Promise.resolve(7))).toBe(true)
  })

  test('rejects with its own error, thrown at once or later', async () => {
    const wrong = new Error('wrong')
    const throwing = (): Promise<never> => {
      throw wrong
    }
    await expect(Deadline.in(HOUR).run(throwing)).rejects.toBe(wrong)
    await expect(Deadline.in(HOUR).run(() => Promise.reject(wrong))).rejects.toBe(wrong)
    await expect(Deadline.in(HOUR).waitFor(Promise.reject(wrong))).rejects.toBe(wrong)
  })

  test('is not aborted, then or later', async () => {
    const signal = await Deadline.in(5).run(async (signal) => signal)
    await Bun.sleep(20)
    expect(signal.aborted).toBe(false)
  })
})

describe('work that is late', () => {
  test('is aborted and given up, not before its time and although it never ends', async () => {
    const began = performance.now()
    let signal: AbortSignal | undefined
    const work = Deadline.in(30).run((given) => {
      signal = given
      return never()
    })
    expect(signal!.aborted).toBe(false)
    await expect(work).rejects.toBeInstanceOf(TooLate)
    expect(performance.now() - began).toBeGreaterThanOrEqual(30)
    expect(signal!.aborted).toBe(true)
    expect(signal!.reason).toBeInstanceOf(TooLate)
  })

  test('rejects with what the caller says, who is asked only then', async () => {
    let state = 'waits'
    const work = Deadline.in(20).run(never, () => new Error(state))
    state = 'begun'
    await expect(work).rejects.toThrow('begun')
  })

  test('may fail later: it is ignored', async () => {
    const late = Promise.withResolvers<void>()
    await expect(Deadline.in(1).run(() => late.promise)).rejects.toBeInstanceOf(TooLate)
    expect(await Deadline.in(1).waitFor(late.promise)).toBe(false)
    const unhandled: unknown[] = []
    const hear = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', hear)
    late.reject(new Error('too late'))
    await Bun.sleep(1)
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })

  test('is not begun after the deadline', async () => {
    let begun = false
    const work = Deadline.in(0).run(async () => {
      begun = true
    })
    await expect(work).rejects.toBeInstanceOf(TooLate)
    expect(begun).toBe(false)
  })
})

test('a deadline can be shortened, never extended', () => {
  const deadline = Deadline.in(1_000)
  expect(deadline.within(HOUR)).toBe(deadline)
  const sooner = deadline.within(100)
  expect(sooner.at).toBeWithin(deadline.at - 1_000, deadline.at - 800)
  expect(deadline.earlier(250).at).toBe(deadline.at - 250)
})

test('what is left goes down to nothing', async () => {
  const deadline = Deadline.in(20)
  expect(deadline.left).toBeWithin(0, 20.001)
  expect(deadline.isOver).toBe(false)
  await Bun.sleep(21)
  expect([deadline.left, deadline.isOver]).toEqual([0, true])
})

describe('the clock of the machine', () => {
  afterEach(() => {
    setSystemTime()
  })

  test.each([
    ['back', -HOUR],
    ['forward', HOUR],
  ])('may be set %s', async (_how, by) => {
    const deadline = Deadline.in(40)
    const began = performance.now()
    setSystemTime(new Date(Date.now() + by))
    expect(deadline.isOver).toBe(false)
    await expect(deadline.run(never)).rejects.toBeInstanceOf(TooLate)
    expect(performance.now() - began).toBeWithin(39, 30_000)
  })
})

test('a timer that fires early is set again', async () => {
  const real = globalThis.setTimeout
  let isFirst = true
  globalThis.setTimeout = Object.assign(
    (work: () => void, milliseconds: number) => {
      const wait = isFirst ? 0 : milliseconds
      isFirst = false
      return real(work, wait)
    },
    { __promisify__: real.__promisify__ },
  ) as typeof setTimeout
  const began = performance.now()
  const work = Deadline.in(40).run(never)
  try {
    await expect(work).rejects.toBeInstanceOf(TooLate)
  } finally {
    globalThis.setTimeout = real
  }
  expect(performance.now() - began).toBeGreaterThanOrEqual(40)
})

test('a time beyond the longest timer is no time at once', async () => {
  const deadline = Deadline.in(LONGEST_TIMER_MILLISECONDS + HOUR)
  const soon = Bun.sleep(20).then(() => 'in time')
  expect(await deadline.run(() => soon)).toBe('in time')
  expect(await Deadline.in(Number.POSITIVE_INFINITY).waitFor(soon)).toBe(true)
})

test('keeps a process only while something waits', async () => {
  const program = Bun.spawn(
    [process.execPath, join(import.meta.dir, '../support/time/short-program.ts')],
    { stdout: 'pipe', stderr: 'inherit' },
  )
  expect(await program.stdout.text()).toBe('in time\ntrue\nlate\n')
  expect(await program.exited).toBe(0)
})
