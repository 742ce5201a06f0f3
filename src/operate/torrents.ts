/** `tracker torrents`: a list, or one torrent with its peers. */
import { resolve } from 'node:path'
import { EXIT } from '../cli/host.ts'
import { Misuse, numberValue, optionValue } from '../cli/invocation.ts'
import { readSmallFile } from '../cli/small-file.ts'
import { readInfoHash } from '../client/torrent-file.ts'
import { aligned, count, several } from '../text/figures.ts'
import { listOf, membersOf, numberOf, type Reply, textOf } from './api.ts'
import { type Call, printList, printReply } from './command.ts'

const DEFAULT_LIMIT = 50
const MOST = 2 ** 32 - 1

export async function torrents(call: Call): Promise<number | undefined> {
  const { invocation, host } = call
  const limit = numberValue(invocation, 'limit', { min: 1, max: MOST }, undefined)
  const sort = optionValue(invocation, 'sort')
  const [word] = invocation.arguments
  if (word !== undefined) {
    if ((limit ?? sort) !== undefined) throw new Misuse('--limit and --sort are for the list')
    const hash = readInfoHash(word, (path) => readSmallFile(resolve(host.cwd, path)))
    if (typeof hash === 'string') throw new Misuse(hash)
    return await one(call, hash.toHex())
  }
  // Without it the request is one that trackers of the reference understand, too.
  const query = sort === undefined || sort === 'hash' ? '' : `?sort=${sort}`
  let isFirst = true
  await printList(
    call,
    `/api/v1/torrents${query}`,
    { limit: limit ?? DEFAULT_LIMIT, none: 'There are no torrents.' },
    (items) => {
      const head = isFirst ? [HEAD] : []
      isFirst = false
      return `${aligned([...head, ...items.map(row)], 1).join('\n')}\n`
    },
  )
  return undefined
}

const HEAD = ['info hash'.padEnd(40), 'seeders', 'leechers', 'completed']
const NAMES = ['seeders', 'leechers', 'completed'] as const

function row(item: unknown): readonly string[] {
  const torrent = membersOf(item)
  return [
    textOf(torrent.info_hash),
    // As wide as their heads on every page.
    ...NAMES.map((name) => count(numberOf(torrent[name])).padStart(name.length)),
  ]
}

async function one(call: Call, hash: string): Promise<number | undefined> {
  const reply = await call.api.ask({ path: `/api/v1/torrent/${hash}` })
  const isKnown = typeof reply.value === 'object'
  printReply(call, reply, () => (isKnown ? torrentText(reply) : `${hash} is not known here.\n`))
  return isKnown ? undefined : EXIT.failure
}

function torrentText({ value }: Reply): string {
  const torrent = membersOf(value)
  const [seeders, leechers, completed] = NAMES.map((name) => numberOf(torrent[name]))
  const rows = listOf(torrent.peers).map(peerRow)
  return [
    textOf(torrent.info_hash),
    `${several(seeders!, 'seeder')}, ${several(leechers!, 'leecher')}, ${count(completed!)} completed`,
    ...(rows.length > 0 ? ['', ...aligned([PEER_HEAD, ...rows], 3)] : []),
    '',
  ].join('\n')
}

const PEER_HEAD = ['peer', 'client', 'seen', 'left']

function peerRow(item: unknown): readonly string[] {
  const { peer_addr, peer_id, updated, left } = membersOf(item)
  const seen = new Date(numberOf(updated))
  return [
    textOf(peer_addr),
    textOf(membersOf(peer_id).client ?? '?'),
    Number.isNaN(seen.getTime()) ? '' : `${seen.toISOString().slice(0, 19).replace('T', ' ')} UTC`,
    left === 0 ? 'seeder' : several(numberOf(left), 'byte'),
  ]
}
