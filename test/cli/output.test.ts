/** What commands print: results as one document or as text, and a line of progress that leaves no trace. */
import { afterEach, beforeEach, describe, expect, jest, spyOn, test } from 'bun:test'
import type { Invocation } from '../../src/cli/invocation.ts'
import { Progress, printResult } from '../../src/cli/output.ts'
import { capturedHost } from '../support/cli/captured-host.ts'

const asked = (...options: [string, string][]): Invocation => ({
  options: new Map(options),
  arguments: [],
})
const never = (): string => {
  throw new Error('text was not asked for')
}
const RESULT = { seeders: 1, peers: ['127.0.0.1:6881'] }

const LINE = '{"seeders":1,"peers":["127.0.0.1:6881"]}\n'
const INDENTED = '{\n  "seeders": 1,\n  "peers": [\n    "127.0.0.1:6881"\n  ]\n}\n'
const TEXT = 'one\ntwo\n'

test.each([
  ['a pipe', false, undefined, LINE],
  ['a pipe', false, 'json', LINE],
  ['a pipe', false, 'text', TEXT],
  ['a terminal', true, undefined, TEXT],
  ['a terminal', true, 'json', INDENTED],
  ['a terminal', true, 'text', TEXT],
])('T8: a result for %s (%p, --format %s)', (_where, outIsTerminal, format, out) => {
  const { host, said } = capturedHost({ outIsTerminal })
  const invocation = format === undefined ? asked() : asked(['format', format])
  printResult(host, invocation, RESULT, () => (out === TEXT ? TEXT : never()))
  expect(said).toEqual({ out, err: '' })
})

describe('progress', () => {
  const CLEAR = '\r\x1b[K'
  /** Cut at the terminal's edge. */
  const shown = (text: string) => `${CLEAR}\x1b[?7l${text}\x1b[?7h`

  /** The clock of the line, in milliseconds. */
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

  /** Lets time pass, for the clock and for timers. */
  function pass(milliseconds: number): void {
    now += milliseconds
    jest.advanceTimersByTime(milliseconds)
  }

  describe('on a terminal', () => {
    test('is not shown in the first second', () => {
      const { host, said } = capturedHost({ errIsTerminal: true })
      {
        using progress = new Progress(host)
        progress.show('1 of 9')
        pass(999)
        progress.show('8 of 9')
      }
      expect(said).toEqual({ out: '', err: '' })
    })

    test('replaces each text by the next, and clears the last one', () => {
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

    test('is not cleared twice', () => {
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

    test('is updated every second until that is disposed of', () => {
      const { host, said } = capturedHost({ errIsTerminal: true })
      using progress = new Progress(host)
      let done = 0
      {
        using _line = progress.every(() => `${done} done`)
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

  test('without a terminal there is no progress', () => {
    const { host, said } = capturedHost({ outIsTerminal: true })
    {
      using progress = new Progress(host)
      using _line = progress.every(() => 'x')
      pass(5000)
      progress.show('y')
    }
    expect(said).toEqual({ out: '', err: '' })
  })
})
