/** What commands print: results as one document or as text, and a line of progress that leaves no trace. */
import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test'
import type { Invocation } from '../../src/cli/invocation.ts'
import { printResult, showProgress } from '../../src/cli/output.ts'
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

  beforeEach(() => void jest.useFakeTimers())
  afterEach(() => void jest.useRealTimers())

  test('replaces each text by the next, once a second, and is cleared once', () => {
    const { host, said } = capturedHost({ errIsTerminal: true })
    let done = 0
    {
      using progress = showProgress(host, () => `${done} done`)
      jest.advanceTimersByTime(999)
      expect(said.err).toBe('')
      done = 3
      jest.advanceTimersByTime(1)
      done = 7
      jest.advanceTimersByTime(1000)
      expect(said.err).toBe(`${shown('3 done')}${shown('7 done')}`)
      progress[Symbol.dispose]()
    }
    jest.advanceTimersByTime(5000)
    expect(said).toEqual({ out: '', err: `${shown('3 done')}${shown('7 done')}${CLEAR}` })
  })

  test.each([
    ['of work that is soon done', true, 999],
    ['without a terminal', false, 5000],
  ])('%s is not shown', (_what, errIsTerminal, milliseconds) => {
    const { host, said } = capturedHost({ outIsTerminal: true, errIsTerminal })
    {
      using _progress = showProgress(host, () => 'x')
      jest.advanceTimersByTime(milliseconds)
    }
    expect(said).toEqual({ out: '', err: '' })
  })
})
