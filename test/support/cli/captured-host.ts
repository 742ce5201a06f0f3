/** A host that records the output of a command. */
import type { Host } from '../../../src/cli/host.ts'

export function capturedHost(
  changes: Partial<Pick<Host, 'outIsTerminal' | 'errIsTerminal' | 'env'>> = {},
) {
  const said = { out: '', err: '' }
  const host: Host = {
    env: {},
    cwd: '/',
    colour: false,
    outIsTerminal: false,
    errIsTerminal: false,
    readerGone: new AbortController().signal,
    print: (text) => {
      said.out += text
    },
    complain: (text) => {
      said.err += text
    },
    exit: (code) => {
      throw new Error(`ended with ${code}`)
    },
    ...changes,
  }
  return { host, said }
}
