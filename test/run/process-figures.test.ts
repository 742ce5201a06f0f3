/** What the system knows of this process, also when it tells nothing. */
import { expect, test } from 'bun:test'
import { runProgram } from '../support/run-program.ts'

const SCRIPT = `
import { openSync } from 'node:fs'
import { processFigures } from '${import.meta.dir}/../../src/run/process-figures.ts'
const before = processFigures()
try {
  for (;;) openSync('/dev/null', 'r')
} catch {}
const { residentBytes } = processFigures()
console.log(before.residentBytes > 0 && residentBytes === before.residentBytes)
`

test.skipIf(process.platform !== 'linux')(
  'without a free descriptor the figures are those of before',
  async () => {
    const narrow = ['/bin/sh', '-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath]
    const { out, err } = await runProgram([...narrow, '-e', SCRIPT])
    expect({ out, err }).toEqual({ out: 'true\n', err: '' })
  },
)
