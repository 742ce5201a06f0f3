/** Torrents in the management API (spec/torrust-rest-api §5, spec/torrust-newest §2.6): one with its peers, and lists. */
import { t } from 'elysia'
import type { InspectedPeer, InspectedTorrent } from '../view/inspect.ts'
import type { TorrentSummary } from '../view/listing.ts'
import { type Answer, badInfoHash, json } from './answers.ts'
import { describe, infoHash, integer, nullable, page } from './documentation.ts'
import { readInfoHash, wordsOf } from './info-hash.ts'
import type { Ask, Operation } from './operation.ts'
import { jsonArray } from './paging.ts'
import { type Page, readPage } from './parameters.ts'
import type { ApiParts, TorrentView } from './parts.ts'
import { byPeerId, printPeer } from './peer-resource.ts'

/** Peers printed at once. */
const LOT = 1_024

const FIGURES = { seeders: integer(), completed: integer(), leechers: integer() }
const SUMMARY = t.Object({ info_hash: infoHash, ...FIGURES })
const signed = integer(-(2 ** 63))
const moment = integer()
const PEER = t.Object({
  peer_id: t.Object({
    id: t.String({ pattern: '^0x[0-9a-f]{40}$' }),
    client: nullable(t.String()),
  }),
  peer_addr: t.String({ examples: ['1.2.3.4:6881', '[2001:db8::1]:6881'] }),
  updated: moment,
  updated_milliseconds_ago: moment,
  updated_at_ms: moment,
  uploaded: signed,
  downloaded: signed,
  left: signed,
  event: t.Union(['Started', 'Stopped', 'Completed', 'None'].map((name) => t.Literal(name))),
})
const TORRENT = t.Object({ info_hash: infoHash, ...FIGURES, peers: t.Array(PEER) })
const UNKNOWN = 'torrent not known'

const figures = ({ seeders, downloaded, leechers }: TorrentSummary | InspectedTorrent): string =>
  `"seeders":${seeders},"completed":${downloaded},"leechers":${leechers}`

const printSummary = (torrent: TorrentSummary): string =>
  `{"info_hash":"${torrent.infoHash}",${figures(torrent)}}`

async function one(torrents: TorrentView, { parameter }: Ask): Promise<Answer> {
  const hash = readInfoHash(parameter)
  if (hash === undefined) return badInfoHash(parameter)
  const torrent = await torrents.one(wordsOf(hash))
  return json(
    torrent === undefined
      ? JSON.stringify(UNKNOWN)
      : printTorrent(parameter.toLowerCase(), torrent),
  )
}

async function* printTorrent(hex: string, torrent: InspectedTorrent): AsyncGenerator<string> {
  const peers = await byPeerId(torrent.peers)
  yield `{"info_hash":"${hex}",${figures(torrent)},"peers":`
  yield* jsonArray(printed(peers, LOT))
  yield '}'
}

function* printed(peers: readonly InspectedPeer[], lot: number): Generator<readonly string[]> {
  for (let at = 0; at < peers.length; at += lot) yield peers.slice(at, at + lot).map(printPeer)
}

async function many(torrents: TorrentView, { query, schema }: Ask): Promise<Answer> {
  const asked = readPage(query, schema)
  if ('fault' in asked) return asked.fault
  const named: Int32Array[] = []
  for (const text of query.getAll('info_hash')) {
    const hash = readInfoHash(text)
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

export const torrentOperations = ({ torrents }: ApiParts): readonly Operation[] => [
  {
    method: 'GET',
    path: '/api/v1/torrents',
    answer: (ask) => many(torrents, ask),
    detail: describe({
      tag: 'torrents',
      summary: 'The torrents, ascending by info hash',
      query: {
        ...page,
        info_hash: [
          t.Array(infoHash),
          'These and no others, in this order; unknown ones are left out.',
        ],
      },
      answers: { 'application/json': t.Array(SUMMARY) },
      also: [400],
    }),
  },
  {
    method: 'GET',
    path: '/api/v1/torrent/:info_hash',
    answer: (ask) => one(torrents, ask),
    detail: describe({
      tag: 'torrents',
      summary: 'A torrent with all its peers, ascending by peer id',
      parameter: ['info_hash', infoHash, '40 hex digits.'],
      answers: { 'application/json': t.Union([TORRENT, t.Literal(UNKNOWN)]) },
      also: [400, 404],
    }),
  },
]
