/** Checks an answer against the reference model after the announce. */
import type { PeerFamily } from '../../../src/bittorrent.ts'
import type { Cutoffs } from '../../../src/swarm/peers.ts'
import { isGone, type NaiveAnnounce, type NaivePeer, type NaiveTorrent } from '../naive/swarm.ts'
import type { Told } from './harness.ts'

export type Question = {
  readonly asker: NaiveAnnounce
  /** Families whose peers the answer may list, in this order. */
  readonly order: readonly PeerFamily[]
  readonly want: number
  readonly cutoffs: Cutoffs
}

/** The mistakes in the listed peers; empty for a correct answer. */
export function unfairness(told: Told[], torrent: NaiveTorrent, question: Question): string[] {
  const wrong: string[] = []
  const { asker, order, cutoffs } = question
  const endpoints = new Set(told.map((peer) => peer.endpoint))
  if (endpoints.size !== told.length) wrong.push('tells a peer twice')
  if (endpoints.has(asker.endpoint)) wrong.push('tells the asker of itself')
  for (const { endpoint, id, family } of told) {
    const known = torrent.peers.get(endpoint)
    if (known === undefined) wrong.push(`tells ${endpoint}, who is not here`)
    else {
      if (known.id !== id || known.family !== family) wrong.push(`tells ${endpoint} as another`)
      if (isGone(known, cutoffs)) wrong.push(`tells ${endpoint}, who expired`)
    }
  }
  if (told.some(({ family }) => !order.includes(family))) wrong.push('tells an unwanted family')
  let { want } = question
  for (const family of order) want -= judgeShare(family, told, torrent, question, want, wrong)
  return wrong
}

/** Checks one family of the answer: how many peers, seeders or leechers. Returns how many it lists. */
function judgeShare(
  family: PeerFamily,
  told: Told[],
  torrent: NaiveTorrent,
  { asker, cutoffs }: Question,
  want: number,
  wrong: string[],
): number {
  const share = told.filter((peer) => peer.family === family)
  const others = torrent.of(family).filter((peer) => peer.endpoint !== asker.endpoint)
  const available = Math.min(want, others.length)
  if (share.length > want)
    wrong.push(`tells ${share.length} of family ${family}, asked for ${want}`)
  // Expired peers of a large swarm may leave an answer short.
  if (others.some((peer) => isGone(peer, cutoffs))) return share.length
  if (share.length < available)
    wrong.push(`tells ${share.length} of ${available} of family ${family}`)
  const leechers = others.filter(isLeecher).length
  const seeders = others.length - leechers
  const toldLeechers = share.filter(({ endpoint }) => {
    const peer = torrent.peers.get(endpoint)
    return peer !== undefined && isLeecher(peer)
  }).length
  const toldSeeders = share.length - toldLeechers
  if (asker.left === 0n) {
    if (toldLeechers < Math.min(want, leechers)) wrong.push('tells a seeder of seeders first')
  } else if (
    toldSeeders < Math.min(Math.ceil(want / 2), seeders) ||
    toldLeechers < Math.min(Math.floor(want / 2), leechers)
  )
    wrong.push(`tells ${toldLeechers} leechers and ${toldSeeders} seeders of ${want}`)
  return share.length
}

const isLeecher = (peer: NaivePeer): boolean => peer.left > 0n
