/**
 * Gives every test and hook two minutes instead of the runner's five seconds: a limit ends tests that hang, and must not
 * depend on how busy the machine is. Bun 1.4 forgets a preload's setting after the first file, so the first line of
 * every test file sets it; a file that needs more sets its own.
 */
import { plugin } from 'bun'

/** More than `until` waits, so that its reason is reported and not this limit. */
const TEST_MILLISECONDS = 120_000
// On the first line, so that line numbers in failures stay true.
const PRELUDE = `import { setDefaultTimeout as $limit } from 'bun:test'; $limit(${TEST_MILLISECONDS}); `

plugin({
  name: 'time limit of tests',
  setup(build) {
    build.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => ({
      contents: PRELUDE + (await Bun.file(path).text()),
      loader: 'ts',
    }))
  },
})
