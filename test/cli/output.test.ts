/** Results: one document for programs, indented for who looks at it, or text. */
import { expect, test } from 'bun:test'
import type { Invocation } from '../../src/cli/host.ts'
import { printResult } from '../../src/cli/output.ts'
import { capturedHost } from '../support/cli/captured-host.ts'

const asked = (...options: [string, string][]): Invocation => ({
  options: new Map(options),
  arguments: [],
})
const never = (): string => {
  throw new Error('nobody asked for text')
}
const RESULT = { seeders: 1, peers: ['127.0.0.1:6881'] }

test.each([asked(), asked(['format', 'json'])])(
  'a document is one line for a pipe',
  (invocation) => {
    const { host, said } = capturedHost()
    printResult(host, invocation, RESULT, never)
    expect(said).toEqual({ out: '{"seeders":1,"peers":["127.0.0.1:6881"]}\n', err: '' })
  },
)

test('a document is indented on a terminal', () => {
  const { host, said } = capturedHost({ outIsTerminal: true })
  printResult(host, asked(), RESULT, never)
  expect(said).toEqual({
    out: '{\n  "seeders": 1,\n  "peers": [\n    "127.0.0.1:6881"\n  ]\n}\n',
    err: '',
  })
})

test.each([true, false])('text stays as it is, terminal or not (%s)', (outIsTerminal) => {
  const { host, said } = capturedHost({ outIsTerminal })
  printResult(host, asked(['format', 'text']), RESULT, () => 'one\ntwo\n')
  expect(said).toEqual({ out: 'one\ntwo\n', err: '' })
})
