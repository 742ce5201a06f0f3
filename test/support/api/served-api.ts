/**
 * A management API on port 0 with parts in memory, which can be made to fail and to wait, and remember what was
 * asked.
 */

import { Bans } from '../../../src/access/bans.ts'
import { serveApi } from '../../../src/api/api.ts'
import { Tokens } from '../../../src/api/authentication.ts'
import type { ApiParts } from '../../../src/api/parts.ts'
import { Sessions } from '../../../src/api/sessions.ts'
import type { TlsConfig } from '../../../src/config/model.ts'
import { DatabaseError } from '../../../src/database/contract.ts'
import { Log } from '../../../src/log/log.ts'
import { drawSeed } from '../../../src/memory/hash.ts'
import { Garbage } from '../../../src/servers/garbage.ts'
import { readCertificate } from '../../../src/servers/listen.ts'
import type { AuthKey, NewKey, PermissionStore } from '../../../src/storage/permissions.ts'
import type { Clock } from '../../../src/time/clock.ts'
import type { TorrentSummary } from '../../../src/view/listing.ts'
import { Live } from '../../../src/view/live.ts'
import { FIGURES, type Stats } from '../../../src/view/statistics.ts'
import type { InspectedTorrent, TorrentView } from '../../../src/view/torrents.ts'
import { ask, type Reply, type Request } from '../http-client.ts'
import { metricSources } from '../view/metric-sources.ts'
import { TOKEN } from './cases.ts'

/** 2023-11-14 22:13:20 UTC. */
export const NOW = 1_700_000_000
const clock: Clock = { seconds: () => NOW, milliseconds: () => NOW * 1_000 }

export class MemoryPermissions implements PermissionStore {
  readonly whitelist = new Set<string>()
  readonly keys = new Map<string, AuthKey>()
  readonly asked: string[] = []
  /** What every method rejects with. */
  failure: Error | undefined
  /** What every method waits for. */
  gate: Promise<void> = Promise.resolve()
  #made = 0

  async #enter(what: string): Promise<void> {
    this.asked.push(what)
    await this.gate
    if (this.failure) throw this.failure
  }

  async addToWhitelist(hashes: Uint8Array): Promise<void> {
    await this.#enter('addToWhitelist')
    for (const hash of hexes(hashes)) this.whitelist.add(hash)
  }
  async removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    await this.#enter('removeFromWhitelist')
    for (const hash of hexes(hashes)) this.whitelist.delete(hash)
  }
  async reloadWhitelist(): Promise<void> {
    await this.#enter('reloadWhitelist')
  }
  async listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    await this.#enter(`listWhitelist ${offset} ${limit}`)
    const page = [...this.whitelist].sort().slice(offset, offset + limit)
    return Uint8Array.from(Buffer.from(page.join(''), 'hex'))
  }
  async addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]> {
    await this.#enter('addKeys')
    if (keys.some(({ key }) => key !== null && this.keys.has(key)))
      throw new DatabaseError('duplicate', 'The Sqlite3 query was malformed: UNIQUE constraint')
    const now = BigInt(clock.milliseconds())
    const added = keys.map(({ key, secondsValid }) => ({
      key: key ?? `generated${String(++this.#made).padStart(23, '0')}`,
      expires: secondsValid === null ? null : now + secondsValid * 1_000n,
    }))
    for (const one of added) this.keys.set(one.key, one)
    return added
  }
  async removeKeys(keys: readonly string[]): Promise<number> {
    await this.#enter('removeKeys')
    return keys.filter((key) => this.keys.delete(key)).length
  }
  async replaceKey(key: string, newKey: string | null): Promise<AuthKey | null> {
    await this.#enter('replaceKey')
    const old = this.keys.get(key)
    if (old === undefined) return null
    const [added] = await this.addKeys([{ key: newKey, secondsValid: null }])
    const replaced = { ...old, key: added!.key }
    this.keys.delete(key)
    this.keys.set(replaced.key, replaced)
    return replaced
  }
  async reloadKeys(): Promise<void> {
    await this.#enter('reloadKeys')
  }
  async listKeys(offset: number, limit: number): Promise<readonly AuthKey[]> {
    await this.#enter(`listKeys ${offset} ${limit}`)
    const sorted = [...this.keys.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    return sorted.slice(offset, offset + limit)
  }
}

/** Collects, and remembers how many bytes were counted. */
export class CountedGarbage extends Garbage {
  counted = 0

  override made(bytes: number): void {
    this.counted += bytes
    super.made(bytes)
  }
}

export const hexes = (packed: Uint8Array): string[] =>
  Buffer.from(packed).toString('hex').match(/.{40}/g) ?? []

/** Torrents of a batch. */
const BATCH = 1_000

/** Torrents with their figures only. */
export class MemoryTorrents implements TorrentView {
  summaries: TorrentSummary[] = []
  /** Batches that were made. */
  batches = 0
  /** Lists that were not made to the end. */
  abandoned = 0
  /** The batch that fails. */
  broken = -1

  async one(): Promise<InspectedTorrent | undefined> {
    return undefined
  }
  async some(hashes: Int32Array): Promise<readonly TorrentSummary[]> {
    const known = new Map(this.summaries.map((one) => [one.infoHash, one]))
    return hexes(new Uint8Array(hashes.buffer)).flatMap((infoHash) => known.get(infoHash) ?? [])
  }
  async *page(offset: number, limit: number): AsyncGenerator<readonly TorrentSummary[]> {
    const end = Math.min(offset + limit, this.summaries.length)
    let at = offset
    try {
      for (; at < end; at += BATCH) {
        if (this.batches++ === this.broken) throw new RangeError('a batch is lost')
        yield this.summaries.slice(at, Math.min(at + BATCH, end))
      }
    } finally {
      if (at < end) this.abandoned++
    }
  }
}

/** No torrents but those that `page` makes. */
export const listing = (page: TorrentView['page']): TorrentView => ({
  one: async () => undefined,
  some: async () => [],
  page,
})

export const noStats = Object.fromEntries(
  FIGURES.map((name) => [name, name === 'completed_persisted_enabled' ? false : 0]),
) as Stats

export type Serving = Awaited<ReturnType<typeof serve>>

export async function serve(
  changes: Partial<ApiParts> & {
    limitMilliseconds?: number
    publicUrl?: string
    tls?: TlsConfig
  } = {},
) {
  const { limitMilliseconds, publicUrl = null, tls = null, ...parts } = changes
  const permissions = new MemoryPermissions()
  const torrents = new MemoryTorrents()
  const bans = new Bans({ banLimit: 1 }, drawSeed())
  const reports: string[] = []
  const lines: string[] = []
  const logging = { filter: 'debug', style: 'full', colour: false } as const
  const garbage = new CountedGarbage()
  const log = new Log(logging, clock.milliseconds, (line) => lines.push(line))
  const server = await serveApi({
    bind: { ip: '127.0.0.1', port: 0 },
    certificate: await readCertificate(tls),
    clock,
    garbage,
    log,
    version: '1.2.3',
    publicUrl,
    ...(limitMilliseconds !== undefined && { limitMilliseconds }),
    parts: {
      schema: '2.0.0',
      tokens: new Tokens({ test: { token: TOKEN, scope: 'all' } }),
      sessions: new Sessions(clock, 0),
      options: () => [],
      stats: () => noStats,
      metrics: () => metricSources(),
      live: new Live(metricSources, () => []),
      pages: { find: async () => undefined },
      torrents,
      bans,
      permissions,
      accounting: undefined,
      databaseName: 'Sqlite3',
      reload: async () => ({ applied: [], restart: [], mistakes: [] }),
      report: (what) => reports.push(what),
      lines: log.history,
      ...parts,
    },
  })
  const stop = async (graceMilliseconds: number): Promise<void> => {
    await server.stop(graceMilliseconds)
    garbage[Symbol.dispose]()
  }
  const dispose = { [Symbol.asyncDispose]: () => stop(0) }
  return { ...server, stop, permissions, torrents, bans, reports, log, lines, garbage, ...dispose }
}

/** With the token in a header, and a JSON body where there is one. */
export const withToken = (request: Request): Request => ({
  ...request,
  headers: {
    authorization: `Bearer ${TOKEN}`,
    ...(request.body !== undefined && { 'content-type': 'application/json' }),
    ...request.headers,
  },
})

export const askWithToken = (url: string, request: Request): Promise<Reply> =>
  ask(url, withToken(request))
