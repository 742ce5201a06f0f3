/**
 * Gives every test and hook two minutes instead of the runner's five seconds: a limit stops what hangs, and must
 * not depend on how busy the machine is. Bun 1.4 forgets what a preload sets after the first file, so the
 * first line of every test file sets it; a file that needs more says so itself.
 */
import { plugin } from 'bun'

/** More than what a test waits for takes (`until.ts`), so that the reason is told and not the limit. */
const TEST_MILLISECONDS = 120_000
// On the line that is there already: places in failures stay true.
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
