/** Torrents in the management API (docs/behaviours.md A10–A16): one with its peers, and lists. */
import { Elysia, t } from 'elysia'
import { Address, EVENT, SEAT, WEB } from '../bittorrent.ts'
import { nextTurn } from '../time/turns.ts'
import type { TorrentSummary } from '../view/listing.ts'
import { SORTS, type Sort } from '../view/order.ts'
import type { InspectedPeer, InspectedTorrent, TorrentView } from '../view/torrents.ts'
import { copySource, joinPort, printIp } from '../wire/address.ts'
import { torrentMembers } from './accounting-json.ts'
import { TORRENT_MEMBERS } from './accounting-schemas.ts'
import { json } from './answers.ts'
import { searchOf } from './authentication.ts'
import { badQuery, echo, isDatabaseFault } from './failures.ts'
import { asJson, describe, nullable } from './openapi.ts'
import { jsonArray, type Page } from './paging.ts'
import type { ApiParts } from './parts.ts'
import { clientName } from './peer-client.ts'
import {
  INFO_HASH,
  INFO_HASH_LIST,
  INFO_HASH_SEGMENT,
  integer,
  judgeText,
  pageQuery,
  queryOf,
  readPage,
} from './schemas.ts'

/** Peers printed at once. */
const BATCH = 1_024

const NUMBER = integer({ minimum: 0 })
const FIGURES = { seeders: NUMBER, completed: NUMBER, leechers: NUMBER }
const SUMMARY = t.Object({ info_hash: INFO_HASH, ...FIGURES }, { $id: 'TorrentSummary' })
const PEER = t.Object(
  {
    peer_id: t.Object({
      id: t.String({ pattern: '^0x[0-9a-f]{40}$' }),
      client: nullable(t.String()),
    }),
    peer_addr: t.String({ examples: ['1.2.3.4:6881', '[2001:db8::1]:6881'] }),
    updated: NUMBER,
    updated_milliseconds_ago: NUMBER,
    updated_at_ms: NUMBER,
    uploaded: integer(),
    downloaded: integer(),
    left: integer(),
    event: t.Union(['Started', 'Stopped', 'Completed', 'None'].map((name) => t.Literal(name))),
    protocol: t.Optional(
      t.Literal('webtorrent', {
        description:
          'Only of peers that other clients reach through the tracker, over a WebSocket. `peer_addr` is where that comes from.',
      }),
    ),
  },
  { $id: 'Peer' },
)
const TORRENT = t.Object(
  {
    info_hash: INFO_HASH,
    ...FIGURES,
    peers: t.Array(PEER),
    accounting: t.Optional(
      t.Union([t.Object(TORRENT_MEMBERS), t.Null()], {
        description:
          'What was moved of it; null: nothing yet. Absent without accounting, and while the database fails.',
      }),
    ),
  },
  { $id: 'Torrent' },
)
const UNKNOWN = 'torrent not known'

const figures = ({ seeders, downloaded, leechers }: TorrentSummary | InspectedTorrent): string =>
  `"seeders":${seeders},"completed":${downloaded},"leechers":${leechers}`

const printSummary = (torrent: TorrentSummary): string =>
  `{"info_hash":"${torrent.infoHash}",${figures(torrent)}}`

/** Info hashes as words in memory order, five for each. */
const wordsOf = (hex: string): Int32Array => new Int32Array(Uint8Array.fromHex(hex).buffer)

/** `accounting`: its member of that name, JSON already; undefined: there is none. */
async function* printTorrent(
  hex: string,
  torrent: InspectedTorrent,
  accounting: string | undefined,
): AsyncGenerator<string> {
  const peers = await byPeerId(torrent.peers)
  yield `{"info_hash":"${hex}",${figures(torrent)},"peers":`
  yield* jsonArray(printed(peers))
  yield accounting === undefined ? '}' : `,"accounting":${accounting}}`
}

/** undefined: it cannot be told. Peers are shown while the database fails, too. */
async function accountingOf(
  accounting: ApiParts['accounting'],
  hex: string,
): Promise<string | undefined> {
  try {
    const row = await accounting?.torrent(Uint8Array.fromHex(hex))
    if (row === null) return 'null'
    return row && `{${torrentMembers(row)}}`
  } catch (error) {
    if (isDatabaseFault(error)) return undefined
    throw error
  }
}

function* printed(peers: readonly InspectedPeer[]): Generator<readonly string[]> {
  for (let at = 0; at < peers.length; at += BATCH) yield peers.slice(at, at + BATCH).map(printPeer)
}

async function* summaries(
  torrents: TorrentView,
  { offset, limit }: Page,
  sortBy: Sort | undefined,
): AsyncGenerator<readonly string[]> {
  for await (const part of torrents.page(offset, limit, sortBy)) yield part.map(printSummary)
}

const SORT = t.Union(
  SORTS.map((name) => t.Literal(name)),
  {
    description:
      'Default info_hash, ascending; figures descending, of 100,000 torrents at most. Without effect beside `info_hash`.',
    error: judgeText((text) =>
      badQuery(
        `unknown variant \`${echo(text)}\`, expected one of ${SORTS.map((name) => `\`${name}\``).join(', ')}`,
      ),
    ),
  },
)

const EVENT_NAMES = {
  [EVENT.none]: 'None',
  [EVENT.completed]: 'Completed',
  [EVENT.started]: 'Started',
  [EVENT.stopped]: 'Stopped',
} as const

/** Counters are unsigned 64-bit numbers in the swarm, and signed ones in this answer. */
const signed = (count: bigint): bigint => BigInt.asIntN(64, count)

function printPeer(peer: InspectedPeer): string {
  const id = `0x${peer.peerId.toHex()}`
  const address = printEndpoint(peer)
  // Despite its name the second field is a point in time as well; clients read it so.
  const moment = peer.seen * 1_000
  return [
    `{"peer_id":{"id":"${id}","client":${JSON.stringify(clientName(peer.peerId))}}`,
    `"peer_addr":"${address}"`,
    `"updated":${moment},"updated_milliseconds_ago":${moment},"updated_at_ms":${moment}`,
    `"uploaded":${signed(peer.uploaded)},"downloaded":${signed(peer.downloaded)}`,
    `"left":${signed(peer.left)},"event":"${EVENT_NAMES[peer.event]}"${peer.family === WEB ? ',"protocol":"webtorrent"' : ''}}`,
  ].join(',')
}

/** An address and a port; hex digits where the endpoint has none. */
function printEndpoint({ family, endpoint }: InspectedPeer): string {
  if (family === WEB) {
    const { address, port } = SEAT
    copySource(endpoint, address * 2, 6, CLIENT)
    return joinPort(printIp(CLIENT.bytes, CLIENT.family), portAt(endpoint, port * 2))
  }
  if (family !== 4 && family !== 6) return endpoint.toHex()
  return joinPort(printIp(endpoint, family), portAt(endpoint, endpoint.length - 2))
}
const CLIENT = new Address()
const portAt = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

/** Peers that are sorted or merged in one turn of the event loop: about a millisecond of work. */
const TURN = 2_048

/** The peers ascending by the bytes of their ids. Even millions do not block the thread. */
export async function byPeerId(peers: readonly InspectedPeer[]): Promise<readonly InspectedPeer[]> {
  if (peers.length <= TURN) {
    await nextTurn()
    return peers.toSorted(compare)
  }
  const middle = peers.length >>> 1
  return await merged(await byPeerId(peers.slice(0, middle)), await byPeerId(peers.slice(middle)))
}

async function merged(
  left: readonly InspectedPeer[],
  right: readonly InspectedPeer[],
): Promise<InspectedPeer[]> {
  const all: InspectedPeer[] = []
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const isLeft = r === right.length || (l < left.length && compare(left[l]!, right[r]!) <= 0)
    all.push(isLeft ? left[l++]! : right[r++]!)
    if (all.length % TURN === 0) await nextTurn()
  }
  return all
}

const compare = (a: InspectedPeer, b: InspectedPeer): number => Buffer.compare(a.peerId, b.peerId)

export const torrentRoutes = ({ torrents, accounting, schema }: ApiParts) =>
  new Elysia({ tags: ['torrents'] })
    .get(
      '/torrents',
      async ({ query }) => {
        const page = readPage(query, schema)
        if (query.info_hash === undefined)
          return json(jsonArray(summaries(torrents, page, query.sort)))
        const known = await torrents.some(wordsOf(query.info_hash.replaceAll(',', '')))
        return json(`[${known.map(printSummary).join(',')}]`)
      },
      {
        // Of a repeated parameter Elysia keeps the last value, and its own schema for lists cannot say which is wrong.
        transform: ({ request, query }) => {
          const named = searchOf(request.url).getAll('info_hash')
          if (named.length > 0) query.info_hash = named.join(',')
        },
        query: queryOf({
          ...pageQuery(schema),
          info_hash: t.Optional(INFO_HASH_LIST),
          sort: t.Optional(SORT),
        }),
        detail: describe(
          'listTorrents',
          'The torrents, ascending by info hash or the largest first',
          asJson(t.Array(SUMMARY)),
        ),
      },
    )
    .get(
      '/torrent/:info_hash',
      async ({ params: { info_hash } }) => {
        const torrent = await torrents.one(wordsOf(info_hash))
        if (torrent === undefined) return json(JSON.stringify(UNKNOWN))
        const accounted = await accountingOf(accounting, info_hash)
        return json(printTorrent(info_hash.toLowerCase(), torrent, accounted))
      },
      {
        params: t.Object({ info_hash: INFO_HASH_SEGMENT }),
        detail: describe(
          'getTorrent',
          'A torrent with all its peers, ascending by peer id',
          asJson(t.Union([TORRENT, t.Literal(UNKNOWN)])),
        ),
      },
    )
