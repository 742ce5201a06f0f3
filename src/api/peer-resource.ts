/** Peers as the management API shows them (spec/torrust-rest-api §5.2), in the order it shows them in. */
import { EVENT } from '../bittorrent.ts'
import type { InspectedPeer } from '../view/inspect.ts'
import { joinPort, printIp } from '../wire/address.ts'
import { clientName } from './peer-client.ts'

const EVENT_NAMES = {
  [EVENT.none]: 'None',
  [EVENT.completed]: 'Completed',
  [EVENT.started]: 'Started',
  [EVENT.stopped]: 'Stopped',
} as const

/** Counters are 64 bits without a sign in the swarm, and with one in this answer. */
const signed = (count: bigint): bigint => BigInt.asIntN(64, count)

export function printPeer(peer: InspectedPeer): string {
  const id = `0x${Buffer.from(peer.peerId).toString('hex')}`
  const address = joinPort(printIp(peer.address, peer.family), peer.port)
  // Despite its name the second is a moment, too; clients read it as one.
  const moment = peer.seen * 1_000
  return [
    `{"peer_id":{"id":"${id}","client":${JSON.stringify(clientName(peer.peerId))}}`,
    `"peer_addr":"${address}"`,
    `"updated":${moment},"updated_milliseconds_ago":${moment},"updated_at_ms":${moment}`,
    `"uploaded":${signed(peer.uploaded)},"downloaded":${signed(peer.downloaded)}`,
    `"left":${signed(peer.left)},"event":"${EVENT_NAMES[peer.event]}"}`,
  ].join(',')
}

/** Peers sorted or merged before others get their turn: about a millisecond of work. */
const TURN = 2_048

/** The peers ascending by the bytes of their ids. Of millions, too, without keeping the thread. */
export async function byPeerId(peers: readonly InspectedPeer[]): Promise<readonly InspectedPeer[]> {
  let sorted: InspectedPeer[] = []
  for (let at = 0; at < peers.length; at += TURN) {
    for (const peer of peers.slice(at, at + TURN).sort(compare)) sorted.push(peer)
    await others()
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
      if (merged.length % TURN === 0) await others()
    }
  }
  return merged
}

const compare = (a: InspectedPeer, b: InspectedPeer): number => Buffer.compare(a.peerId, b.peerId)

/** Lets whatever waits run first. */
const others = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
