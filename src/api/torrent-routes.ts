/** Torrents in the management API (docs/behaviours.md A10–A16): one with its peers, and lists. */
import { t } from 'elysia'
import { EVENT, INFO_HASH_BYTES, parseInfoHash } from '../bittorrent.ts'
import { nextTurn } from '../time/turns.ts'
import type { TorrentSummary } from '../view/listing.ts'
import type { InspectedPeer, InspectedTorrent, TorrentView } from '../view/torrents.ts'
import { joinPort, printIp } from '../wire/address.ts'
import { type Answer, badInfoHash, json } from './answers.ts'
import { describe, infoHash, integer, nullable, page } from './openapi.ts'
import type { ApiParts, Context, Operation } from './operation.ts'
import { jsonArray } from './paging.ts'
import { type Page, readPage } from './parameters.ts'
import { clientName } from './peer-client.ts'

/** Peers printed at once. */
const BATCH = 1_024

const FIGURES = { seeders: integer(), completed: integer(), leechers: integer() }
const SUMMARY = t.Object({ info_hash: infoHash, ...FIGURES })
const COUNT = integer(-(2 ** 63))
const MOMENT = integer()
const PEER = t.Object({
  peer_id: t.Object({
    id: t.String({ pattern: '^0x[0-9a-f]{40}$' }),
    client: nullable(t.String()),
  }),
  peer_addr: t.String({ examples: ['1.2.3.4:6881', '[2001:db8::1]:6881'] }),
  updated: MOMENT,
  updated_milliseconds_ago: MOMENT,
  updated_at_ms: MOMENT,
  uploaded: COUNT,
  downloaded: COUNT,
  left: COUNT,
  event: t.Union(['Started', 'Stopped', 'Completed', 'None'].map((name) => t.Literal(name))),
})
const TORRENT = t.Object({ info_hash: infoHash, ...FIGURES, peers: t.Array(PEER) })
const UNKNOWN = 'torrent not known'

const figures = ({ seeders, downloaded, leechers }: TorrentSummary | InspectedTorrent): string =>
  `"seeders":${seeders},"completed":${downloaded},"leechers":${leechers}`

const printSummary = (torrent: TorrentSummary): string =>
  `{"info_hash":"${torrent.infoHash}",${figures(torrent)}}`

async function one(torrents: TorrentView, { parameter }: Context): Promise<Answer> {
  const hash = parseInfoHash(parameter)
  if (hash === undefined) return badInfoHash(parameter)
  const torrent = await torrents.one(wordsOf(hash))
  return json(
    torrent === undefined
      ? JSON.stringify(UNKNOWN)
      : printTorrent(parameter.toLowerCase(), torrent),
  )
}

/** The same 20 bytes as five words in memory order. */
const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, INFO_HASH_BYTES / 4)

async function* printTorrent(hex: string, torrent: InspectedTorrent): AsyncGenerator<string> {
  const peers = await byPeerId(torrent.peers)
  yield `{"info_hash":"${hex}",${figures(torrent)},"peers":`
  yield* jsonArray(printed(peers, BATCH))
  yield '}'
}

function* printed(peers: readonly InspectedPeer[], batch: number): Generator<readonly string[]> {
  for (let at = 0; at < peers.length; at += batch) yield peers.slice(at, at + batch).map(printPeer)
}

async function many(torrents: TorrentView, { query, schema }: Context): Promise<Answer> {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  const named: Int32Array[] = []
  for (const text of query.getAll('info_hash')) {
    const hash = parseInfoHash(text)
    if (hash === undefined) return badInfoHash(text)
    named.push(wordsOf(hash))
  }
  if (named.length === 0) return json(jsonArray(summaries(torrents, asked)))
  const known = await torrents.some(named)
  return json(`[${known.map(printSummary).join(',')}]`)
}

async function* summaries(
  torrents: TorrentView,
  { offset, limit }: Page,
): AsyncGenerator<readonly string[]> {
  for await (const part of torrents.page(offset, limit)) yield part.map(printSummary)
}

const EVENT_NAMES = {
  [EVENT.none]: 'None',
  [EVENT.completed]: 'Completed',
  [EVENT.started]: 'Started',
  [EVENT.stopped]: 'Stopped',
} as const

/** Counters are unsigned 64-bit numbers in the swarm, and signed ones in this answer. */
const signed = (count: bigint): bigint => BigInt.asIntN(64, count)

function printPeer(peer: InspectedPeer): string {
  const id = `0x${Buffer.from(peer.peerId).toString('hex')}`
  const address = printEndpoint(peer)
  // Despite its name the second field is a point in time as well; clients read it so.
  const moment = peer.seen * 1_000
  return [
    `{"peer_id":{"id":"${id}","client":${JSON.stringify(clientName(peer.peerId))}}`,
    `"peer_addr":"${address}"`,
    `"updated":${moment},"updated_milliseconds_ago":${moment},"updated_at_ms":${moment}`,
    `"uploaded":${signed(peer.uploaded)},"downloaded":${signed(peer.downloaded)}`,
    `"left":${signed(peer.left)},"event":"${EVENT_NAMES[peer.event]}"}`,
  ].join(',')
}

/** An address and a port; hex digits where the endpoint is not an address. */
function printEndpoint({ family, endpoint }: InspectedPeer): string {
  if (family !== 4 && family !== 6) return endpoint.toHex()
  const [high, low] = endpoint.subarray(-2)
  return joinPort(printIp(endpoint, family), (high! << 8) | low!)
}

/** Peers that are sorted or merged in one turn of the event loop: about a millisecond of work. */
const TURN = 2_048

/** The peers ascending by the bytes of their ids. Even millions do not block the thread. */
export async function byPeerId(peers: readonly InspectedPeer[]): Promise<readonly InspectedPeer[]> {
  let sorted: InspectedPeer[] = []
  for (let at = 0; at < peers.length; at += TURN) {
    for (const peer of peers.slice(at, at + TURN).sort(compare)) sorted.push(peer)
    await nextTurn()
  }
  for (let run = TURN; run < sorted.length; run *= 2) sorted = await mergeRuns(sorted, run)
  return sorted
}

/** Merges neighbouring runs of `run` sorted peers each. */
async function mergeRuns(peers: readonly InspectedPeer[], run: number): Promise<InspectedPeer[]> {
  const merged: InspectedPeer[] = []
  for (let start = 0; start < peers.length; start += run * 2) {
    const middle = Math.min(start + run, peers.length)
    const end = Math.min(middle + run, peers.length)
    let left = start
    let right = middle
    while (left < middle || right < end) {
      const fromLeft = right === end || (left < middle && compare(peers[left]!, peers[right]!) <= 0)
      merged.push(peers[fromLeft ? left++ : right++]!)
      if (merged.length % TURN === 0) await nextTurn()
    }
  }
  return merged
}

const compare = (a: InspectedPeer, b: InspectedPeer): number => Buffer.compare(a.peerId, b.peerId)

export const torrentOperations = ({ torrents }: ApiParts): readonly Operation[] => [
  {
    method: 'GET',
    path: '/api/v1/torrents',
    answer: (context) => many(torrents, context),
    detail: describe({
      tag: 'torrents',
      summary: 'The torrents, ascending by info hash',
      query: {
        ...page,
        info_hash: [t.Array(infoHash), 'Only these, in this order; unknown ones are left out.'],
      },
      answers: { 'application/json': t.Array(SUMMARY) },
      also: [400],
    }),
  },
  {
    method: 'GET',
    path: '/api/v1/torrent/:info_hash',
    answer: (context) => one(torrents, context),
    detail: describe({
      tag: 'torrents',
      summary: 'A torrent with all its peers, ascending by peer id',
      parameter: ['info_hash', infoHash, '40 hex digits.'],
      answers: { 'application/json': t.Union([TORRENT, t.Literal(UNKNOWN)]) },
      also: [400, 404],
    }),
  },
]
