/**
 * A whole tracker with its API as a process, and requests of its clients and its operator. It logs at the most detailed
 * level, and `stop` checks that neither keys nor tokens are logged.
 */

import { Database } from 'bun:sqlite'
import { expect } from 'bun:test'
import { join } from 'node:path'
import type { BencodeDictionary } from '../../../src/wire/bencode.ts'
import { TOKEN } from '../api/cases.ts'
import { withToken } from '../api/served-api.ts'
import { configuration } from '../configuration.ts'
import { announceQuery, ask, dechunk, get, hashA, percent, type Request } from '../http-client.ts'
import { type UdpPeer, udpPeer } from '../udp-client.ts'
import { launch, type Program } from './program.ts'

export type Mode = 'public' | 'private' | 'listed' | 'both'

export type Settings = {
  schema?: '2.0.0' | '3.0.0'
  mode?: Mode
  /** Lines of `[core]`. */
  core?: string
  /** Tables below `[core]`. */
  tables?: string
  /** Whether it has one. */
  database?: boolean
  listeners?: string
  workers?: number
  /** Its directory, which stays when it has ended. */
  room?: string
}

/** A second one beside `TOKEN`. */
export const OTHER_TOKEN = 'another+token & more'

const LISTENERS = `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
[[http_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
`
const DATABASE = '[core.database]\npath = "tracker.db"\n'
const API = `
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${TOKEN}", other = "${OTHER_TOKEN}" }
[health_check_api]
bind_address = "127.0.0.1:0"
`

export const tomlOf = ({
  schema = '3.0.0',
  mode = 'public',
  core = '',
  tables = '',
  database = true,
  listeners = LISTENERS,
  workers = 2,
}: Settings): string =>
  configuration({
    schema,
    filter: 'trace',
    isPrivate: mode === 'private' || mode === 'both',
    listed: mode === 'listed' || mode === 'both',
    workers,
    core: `${core}\n${database ? DATABASE : ''}${tables}`,
    rest: listeners + API,
  })

export type Figures = Readonly<Record<string, number | boolean>>
/** `key` as it stands in the path; `query` replaces parameters. */
export type HttpAnnounce = {
  key?: string
  hash?: Uint8Array
  at?: number
  headers?: Record<string, string>
  query?: Record<string, string | number | undefined>
}

export type RunningTracker = Awaited<ReturnType<typeof runTracker>>

export async function runTracker(program: Program, settings: Settings = {}) {
  const { room } = settings
  const run = await launch(program, {
    toml: tomlOf(settings),
    ...(room !== undefined && { directory: room }),
  })
  await run.services()
  const urls = (target: string) =>
    Array.from(
      run.text.out.matchAll(new RegExp(`INFO ${target}: Started on: (\\S+)`, 'g')),
      ([, url]) => url!,
    )
  const udp = urls('UDP TRACKER').map((url) => Number(/\d+$/.exec(url)![0]))
  // Addresses that a client of this machine can reach, in the order of the configuration.
  const http = urls('HTTP TRACKER').map((url) => url.replace('[::]', '[::1]'))
  const api = urls('API')[0]!
  const [health] = urls('HEALTH CHECK API')
  const path = (what: string, key: string | undefined) =>
    key === undefined ? `/${what}` : `/${what}/${key}`

  return {
    run,
    udp,
    http,
    api,
    health: health!,

    /** Sends exactly this request to the API. */
    async ask(request: Request) {
      const reply = await ask(api, request)
      const { status, headers } = reply
      return { status, headers, body: dechunk(reply).toString() }
    },
    /** A request to the API with the token; the JSON of the answer. Rejects unless the status is 200. */
    async call(method: string, target: string, body?: unknown) {
      const content = body === undefined ? {} : { body: JSON.stringify(body) }
      const request = withToken({ method, path: `/api/v1/${target}`, ...content })
      const reply = await this.ask(request)
      if (reply.status !== 200)
        throw new Error(`${method} ${target}: ${reply.status} ${reply.body}`)
      return JSON.parse(reply.body)
    },
    stats(): Promise<Figures> {
      return this.call('GET', 'stats')
    },
    /** Adds a key, generated unless given; `secondsValid` null = permanent. */
    async addKey(secondsValid: number | null, key: string | null = null): Promise<string> {
      return (await this.call('POST', 'keys', { key, seconds_valid: secondsValid })).key
    },

    /** Reads or changes the database behind the tracker's back. */
    sql(statements: string): unknown[][] {
      using connection = new Database(join(run.cwd, 'tracker.db'))
      connection.run('PRAGMA busy_timeout = 5000')
      if (/^\s*SELECT/i.test(statements)) return connection.query(statements).values()
      connection.run(statements)
      return []
    },

    /** On a new connection, so that any thread may answer. */
    async announce({ key, hash = hashA, at = 0, headers, query }: HttpAnnounce = {}) {
      const all = announceQuery({ info_hash: percent(hash), compact: 1, ...query })
      return await get(http[at]!, `${path('announce', key)}?${all}`, headers)
    },
    /** The outcome of an HTTP announce: the failure reason, or the number of seeders. */
    async told(announce?: HttpAnnounce): Promise<string | number> {
      const { failure, value } = await this.announce(announce)
      return failure ?? (value.get('complete') as number)
    },
    /** Seeders, completions and leechers of every hash over HTTP, or the failure reason. */
    async scrape(hashes: readonly Uint8Array[], key?: string, at = 0, headers = {}) {
      const query = hashes.map((hash) => `info_hash=${percent(hash)}`).join('&')
      const { failure, value } = await get(http[at]!, `${path('scrape', key)}?${query}`, headers)
      if (failure !== undefined) return failure
      const files = value.get('files') as Map<string, BencodeDictionary>
      return Array.from(files.values(), (entry) =>
        ['complete', 'downloaded', 'incomplete'].map((name) => entry.get(name)),
      )
    },
    /** A UDP client of the listener with index `at`. */
    peer: (at = 0, hostname = '127.0.0.1', from?: string): Promise<UdpPeer> =>
      udpPeer(udp[at]!, hostname, from),

    /** Ends it as its operator would; its output. */
    async stop(): Promise<string> {
      const { code, out, err } = await run.stop()
      expect([code, err]).toEqual([0, ''])
      expectNoSecretIn(out)
      return out
    },
    [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
  }
}

/** Neither a token nor anything that looks like a key; info hashes, where the log has them, are longer. */
export function expectNoSecretIn(output: string): void {
  for (const secret of [TOKEN, OTHER_TOKEN, encodeURIComponent(OTHER_TOKEN)])
    expect(output).not.toContain(secret)
  const rest = output.replaceAll(/ (?:info_hash|what)=[0-9a-f]{40}\b/g, '')
  expect(rest).not.toMatch(/[0-9A-Za-z]{31}/)
}

/** The outcome of a UDP announce: the refusal, or the number of seeders. */
export const outcome = (announce: Promise<{ seeders: number }>): Promise<string | number> =>
  announce.then(
    ({ seeders }) => seeders,
    (error: Error) => error.message,
  )

const unlisted = (hash: Uint8Array) =>
  `The torrent: ${Buffer.from(hash).toString('hex')}, is not whitelisted`

/** The refusals of schema 3.0.0. */
export const TOLD = {
  missing: 'Tracker authentication error: Missing authentication key',
  malformed: 'Tracker authentication error: Invalid format for authentication key param',
  unknown: 'Tracker authentication error: Failed to read key',
  expired: 'Tracker authentication error: Key has expired',
  unlisted: (hash: Uint8Array) => `Tracker whitelist error: ${unlisted(hash)}`,
  /** Over UDP, where the text above would be longer than the request. */
  unlistedUdp: (hash: Uint8Array) => `Tracker error: ${unlisted(hash)}`,
} as const
