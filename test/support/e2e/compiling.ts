/** A test file for `compiled.test.ts` that compiles the tracker, prints its path and never ends. */
import { setDefaultTimeout, test } from 'bun:test'
import { compiled } from './program.ts'

// time-limit.ts does not apply: the name of this file does not end in .test.ts.
setDefaultTimeout(120_000)

const program = compiled()

test('never ends', async () => {
  console.log(`compiled ${program()}`)
  await new Promise(() => undefined)
})
