/** The line for whoever waits: when it is there, and that nothing of it stays. */
import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from 'bun:test'
import { Progress } from '../../src/cli/progress.ts'
import { capturedHost } from '../support/cli/captured-host.ts'

const CLEAR = '\r\x1b[K'
/** Cut where the terminal ends. */
const shown = (text: string) => `${CLEAR}\x1b[?7l${text}\x1b[?7h`

/** Milliseconds that the clock of the line shows. */
let now = 0
let clock: ReturnType<typeof spyOn>
beforeEach(() => {
  now = 0
  jest.useFakeTimers()
  clock = spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  clock.mockRestore()
  jest.useRealTimers()
})

/** Time goes on, for the clock and for timers. */
function pass(milliseconds: number): void {
  now += milliseconds
  jest.advanceTimersByTime(milliseconds)
}

describe('on a terminal', () => {
  test('what is over within a second shows nothing', () => {
    const { host, said } = capturedHost({ errIsTerminal: true })
    {
      using progress = new Progress(host)
      progress.show('1 of 9')
      pass(999)
      progress.show('8 of 9')
    }
    expect(said).toEqual({ out: '', err: '' })
  })

  test('each text replaces the one before, and the last one goes', () => {
    const { host, said } = capturedHost({ errIsTerminal: true })
    {
      using progress = new Progress(host)
      pass(1000)
      progress.show('1 of 2')
      progress.show('2 of 2')
      expect(said.err).toBe(`${shown('1 of 2')}${shown('2 of 2')}`)
    }
    expect(said).toEqual({ out: '', err: `${shown('1 of 2')}${shown('2 of 2')}${CLEAR}` })
  })

  test('cleared, it is not cleared again', () => {
    const { host, said } = capturedHost({ errIsTerminal: true })
    {
      using progress = new Progress(host)
      pass(1000)
      progress.show('x')
      progress.clear()
      progress.clear()
    }
    expect(said.err).toBe(`${shown('x')}${CLEAR}`)
  })

  test('every second it asks what there is to say, until it is told to stop', () => {
    const { host, said } = capturedHost({ errIsTerminal: true })
    using progress = new Progress(host)
    let done = 0
    {
      using _telling = progress.every(() => `${done} done`)
      pass(999)
      expect(said.err).toBe('')
      done = 3
      pass(1)
      done = 7
      pass(1000)
      expect(said.err).toBe(`${shown('3 done')}${shown('7 done')}`)
    }
    pass(5000)
    expect(said.err).toBe(`${shown('3 done')}${shown('7 done')}`)
  })
})

test('elsewhere it says nothing', () => {
  const { host, said } = capturedHost({ outIsTerminal: true })
  {
    using progress = new Progress(host)
    using _telling = progress.every(() => 'x')
    pass(5000)
    progress.show('y')
  }
  expect(said).toEqual({ out: '', err: '' })
})
