/** A site's copy loop (share/accounting/copy.py), run against a tracker with clients. */
import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { configuration, listeners } from '../support/configuration.ts'
import { launch, source } from '../support/e2e/program.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const LOOP = join(import.meta.dir, '../../share/accounting/copy.py')
const PYTHON = Bun.which('python3')
const TOKEN = 'a-token-of-the-site'
/** More than a number of 53 bits holds. */
const LARGE = 9_007_199_254_740_993n
const hexOf = (byte: number) => Buffer.from(hashOf(byte)).toString('hex')

const toml = configuration({
  // Of two threads either may be the first to hand over what it noted.
  workers: 1,
  isPrivate: true,
  core: '[core.database]\npath = "tracker.db"\n[core.accounting]\nlevel = "users"\n',
  rest: `${listeners()}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { site = "${TOKEN}" }
`,
})

async function startSite() {
  const scope = new AsyncDisposableStack()
  const room = scope.use(temporaryDirectory())
  const run = scope.use(await launch(source, { toml, directory: room.path }))
  const [http] = (await run.services()).http_trackers
  const api = `http://127.0.0.1:${Number((await run.says(/API: Started on: \S+:(\d+)/))[1])}`
  const call = async (method: string, path: string, body?: string) => {
    const answer = await fetch(`${api}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body }),
    })
    expect([path, answer.status]).toEqual([path, 200])
    return (await answer.json()) as Record<string, string>
  }
  return {
    run,
    call,
    /** The key of a user of the site. */
    keyOf: async (userId: bigint): Promise<string> =>
      (await call('POST', 'keys', `{"key":null,"seconds_valid":null,"user_id":${userId}}`)).key!,
    announce: async (key: string, hash: number, uploaded: number, downloaded = 0, left = 0) => {
      const query = announceQuery({
        info_hash: percent(hashOf(hash)),
        uploaded,
        downloaded,
        left,
        event: undefined,
      })
      const { body } = await get(http!, `/announce/${key}?${query}`)
      expect(`${body}`).toContain('8:interval')
    },
    copy: () =>
      runProgram([PYTHON!, LOOP, room.at('site.db')], {
        env: { TRACKER_URL: api, TRACKER_TOKEN: TOKEN },
      }),
    /** What the site has: users with what is credited to them, and what they moved of which torrent. */
    copied: (): Readonly<Record<'users' | 'history', unknown[][]>> => {
      using site = new Database(room.at('site.db'), { readonly: true, safeIntegers: true })
      return {
        users: site
          .query('select user_id, uploaded, downloaded from users order by account')
          .values(),
        history: site
          .query('select account, info_hash, uploaded, downloaded from history order by 1, 2')
          .values(),
      }
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  }
}

test.skipIf(PYTHON === null)(
  'N28: it copies users and history, goes on where it was, and forgets who was erased',
  async () => {
    await using site = await startSite()
    const { call, announce, copy, copied } = site
    /** Figures are there at once unless the machine is slow. */
    const copies = (what: string, expected: ReturnType<typeof copied>) =>
      until(
        () => `${what}: ${Bun.inspect(copied())}`,
        async () => {
          expect(await copy()).toEqual({ code: 0, out: '', err: '' })
          return Bun.deepEquals(copied(), expected)
        },
      )
    const [first, second] = [await site.keyOf(17n), await site.keyOf(LARGE)]
    await announce(first, 1, 1_000)
    await announce(first, 1, 6_000)
    await announce(second, 1, 0, 0, 9_000)
    await announce(second, 1, 0, 4_000, 5_000)
    const before: ReturnType<typeof copied> = {
      users: [
        [17n, 5_000n, 0n],
        [LARGE, 0n, 4_000n],
      ],
      history: [
        [1n, hexOf(1), 5_000n, 0n],
        [2n, hexOf(1), 0n, 4_000n],
      ],
    }
    await copies('what was moved', before)
    // Nothing is new.
    await copies('the same', before)

    await announce(first, 1, 7_000)
    await announce(first, 2, 50)
    await announce(first, 2, 70)
    // What was announced until then is credited by what was decided until then.
    await call('GET', 'account/1')
    await call('PATCH', 'user/17', '{"up_percent":200}')
    await announce(first, 1, 7_100)
    await call('POST', 'account/1/adjust', '{"credited_uploaded":-20,"reason":"a test"}')
    await copies('what is credited', {
      users: [
        [17n, 5_000n + 1_000n + 20n + 200n - 20n, 0n],
        [LARGE, 0n, 4_000n],
      ],
      history: [
        [1n, hexOf(1), 6_100n, 0n],
        [1n, hexOf(2), 20n, 0n],
        [2n, hexOf(1), 0n, 4_000n],
      ],
    })

    await call('DELETE', `user/${LARGE}`)
    // The key begins a new account of the same user.
    const after: ReturnType<typeof copied> = {
      users: [
        [17n, 6_200n, 0n],
        [LARGE, 0n, 0n],
      ],
      history: [
        [1n, hexOf(1), 6_100n, 0n],
        [1n, hexOf(2), 20n, 0n],
      ],
    }
    await copies('what is left', after)

    // Without the tracker it fails, and the site keeps what it has.
    await site.run.stop()
    expect((await copy()).code).not.toBe(0)
    expect(copied()).toEqual(after)
  },
)
