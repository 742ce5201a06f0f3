/** A test file, for `compiled.test.ts`, that has the tracker compiled, says so and never ends. */
import { setDefaultTimeout, test } from 'bun:test'
import { compiled } from './program.ts'

// Not being called a test, it gets no more time from elsewhere.
setDefaultTimeout(120_000)

const program = compiled()

test('never ends', async () => {
  console.log(`compiled ${program()}`)
  await new Promise(() => undefined)
})
