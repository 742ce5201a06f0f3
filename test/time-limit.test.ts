/** The limit that `time-limit.ts` gives every test and hook. */
import { beforeAll, test } from 'bun:test'

// Those of the runner, and a little.
beforeAll(() => Bun.sleep(5_050))

test('a hook may take longer than the five seconds of the runner', () => undefined)
