/**
 * An API fuzzer, schemathesis, reads the OpenAPI document of a running tracker and tries what it says and what it
 * rules out. `TEST_SCHEMATHESIS` names its executable.
 */
import { expect, test } from 'bun:test'
import { accountedApi } from '../support/api/accounted-api.ts'
import { TOKEN } from '../support/api/cases.ts'
import { source } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { hashOf } from '../support/udp-client.ts'

const { TEST_SCHEMATHESIS: fuzzer } = process.env

/** Status 500 is the reference's for a missing token, a key that exists already and one that does not exist. */
const NOT_TOLD_FROM_BUGS = 'ignored_auth,not_a_server_error'

/** What the fuzzer says of the API at `url`, or of the operations that `selection` names. */
async function fuzz(url: string, selection: readonly string[] = []) {
  using room = temporaryDirectory()
  const never = ['watchOverview', 'getLog', 'watchChanges']
  return await runProgram(
    [
      ...[fuzzer!, 'run', `${url}/api/openapi.json`, '--no-color', ...selection],
      ...['--header', `Authorization: Bearer ${TOKEN}`],
      // A login must come from a page of the API's own.
      ...['--header', `Origin: ${url}`],
      // Answers that never end.
      ...never.flatMap((id) => ['--exclude-operation-id', id]),
      ...['--phases', 'coverage,fuzzing', '--exclude-checks', NOT_TOLD_FROM_BUGS],
      // One worker: Python's own compiler fails now and then when two threads use it.
      ...['--max-examples', '10', '--workers', '1', '--seed', '1', '--request-timeout', '10'],
    ],
    { cwd: room.path, env: { HOME: room.path, LANG: 'C.UTF-8' }, milliseconds: 110_000 },
  )
}
const NOTHING_FOUND = { code: 0, out: expect.stringContaining('No issues found'), err: '' }

test.skipIf(fuzzer === undefined)(
  'A29: a fuzzer finds no answer that the OpenAPI document does not describe',
  async () => {
    await using tracker = await runTracker(source)
    for (let n = 0; n < 20; n++) await tracker.announce({ hash: hashOf(n) })
    expect(await fuzz(tracker.api)).toEqual(NOTHING_FOUND)
    // Bugs have status 500, too, and are reported.
    expect(await tracker.stop()).not.toContain('internal error')
  },
)

test.skipIf(fuzzer === undefined)('A29: nor with accounts', async () => {
  await using api = await accountedApi()
  await api.accounts(17n, 18n)
  const flag = { kind: 'speed', at: 5, account: 1, bytes: 1, seconds: 1, times: 1 } as const
  await api.write([{ account: 1, torrent: 1, up: 5 }], [{ ...flag, infoHash: hashOf(1) }])
  const tags = ['--include-tag', 'accounting', '--include-tag', 'keys']
  expect(await fuzz(api.url, tags)).toEqual({
    ...NOTHING_FOUND,
    out: expect.stringMatching(/ passed/),
  })
  expect(api.reports).toEqual([])
})
