/**
 * An API fuzzer, schemathesis, reads the OpenAPI document of a running tracker and tries what it says and what it
 * rules out. `TEST_SCHEMATHESIS` names its executable.
 */
import { expect, test } from 'bun:test'
import { TOKEN } from '../support/api/cases.ts'
import { source } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { hashOf } from '../support/udp-client.ts'

const { TEST_SCHEMATHESIS: fuzzer } = process.env

/** Status 500 is the reference's for a missing token, a key that exists already and one that does not exist. */
const NOT_TOLD_FROM_BUGS = 'ignored_auth,not_a_server_error'

test.skipIf(fuzzer === undefined)(
  'A29: a fuzzer finds no answer that the OpenAPI document does not describe',
  async () => {
    await using tracker = await runTracker(source)
    for (let n = 0; n < 20; n++) await tracker.announce({ hash: hashOf(n) })
    using room = temporaryDirectory()
    const { code, out, err } = await runProgram(
      [
        ...[fuzzer!, 'run', `${tracker.api}/api/openapi.json`, '--no-color'],
        ...['--header', `Authorization: Bearer ${TOKEN}`],
        // A login must come from a page of the API's own.
        ...['--header', `Origin: ${tracker.api}`],
        // Answers that never end.
        ...['--exclude-operation-id', 'watchOverview', '--exclude-operation-id', 'getLog'],
        ...['--phases', 'coverage,fuzzing', '--exclude-checks', NOT_TOLD_FROM_BUGS],
        // One worker: Python's own compiler fails now and then when two threads use it.
        ...['--max-examples', '10', '--workers', '1', '--seed', '1', '--request-timeout', '10'],
      ],
      { cwd: room.path, env: { HOME: room.path, LANG: 'C.UTF-8' }, milliseconds: 110_000 },
    )
    expect([code, out, err]).toEqual([0, expect.stringContaining('No issues found'), ''])
    // Bugs have status 500, too, and are reported.
    expect(await tracker.stop()).not.toContain('internal error')
  },
)
