/** A scrape of torrents whose counts are stored waits for them: a moment, on memory of its own. */

import { expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { answerLookup, Hashes, takeLookups } from '../../src/storage/owed.ts'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import type { BencodeDictionary } from '../../src/wire/bencode.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { serve, trackerOver } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import {
  announcePacket,
  connected,
  readScrape,
  scrapePacket,
  transactionOf,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const SCRAPES = 12
const ANNOUNCED = 0xffff_ffff

const hashOf = (n: number) => Buffer.alloc(20, `torrent ${n} `)
const scrapePath = (...hashes: Buffer[]) =>
  `/scrape?${hashes.map((hash) => `info_hash=${percent(hash)}`).join('&')}`

async function told(url: string, ...hashes: Buffer[]): Promise<Record<string, number>> {
  const { value } = await get(url, scrapePath(...hashes))
  const files = value.get('files') as Map<string, BencodeDictionary>
  return Object.fromEntries(
    Array.from(files, ([hash, entry]) => [
      Buffer.from(hash, 'latin1').toString(),
      entry.get('downloaded') as number,
    ]),
  )
}

/** A tracker that keeps counts, and a database that knows `stored` of each torrent. */
async function scene(stored: (hash: string) => number) {
  const swarm = new Swarm(createSwarmMemory(16 * 2 ** 20, Int32Array.of(1), true), 1, 1)
  const clock = { seconds: () => 1_000_000, milliseconds: () => 1_000_000_000 }
  const tracker = trackerOver(swarm, clock)
  const serving = await serve({ tracker })
  const answer = () => {
    const hashes = new Hashes(1_000)
    for (const shard of swarm.shards) takeLookups(shard, hashes, 100)
    for (let i = 0; i < hashes.count; i++) {
      const hash = Buffer.from(hashes.bytes.subarray(i * 20, i * 20 + 20)).toString()
      answerLookup(swarm, hashes.words, i * 5, stored(hash))
    }
    return hashes.count
  }
  return {
    swarm,
    tracker,
    serving,
    answer,
    [Symbol.asyncDispose]: () => serving[Symbol.asyncDispose](),
  }
}

test('scrapes that wait side by side are told their own counts, beside other requests', async () => {
  const stored = (hash: string) => 1_000_000 + Number(/\d+/.exec(hash)![0])
  await using it = await scene(stored)
  const { url } = it.serving
  // A machine that is busy may be too late for a scrape, which no scrape waits for: others follow.
  for (let round = 0, right = 0; right < SCRAPES; round++) {
    expect(round).toBeLessThan(1_000)
    const first = round * SCRAPES * 2
    const asked = Array.from({ length: SCRAPES }, (_, n) =>
      n % 2 === 0 ? [hashOf(first + n)] : [hashOf(first + n), hashOf(first + SCRAPES + n)],
    )
    const scrapes = asked.map((hashes) => told(url, ...hashes))
    const announce = get(url, `/announce?${announceQuery({ compact: 1, left: 1, event: '' })}`)
    let isOver = false
    const all = Promise.all(scrapes).finally(() => {
      isOver = true
    })
    while (!isOver) {
      await new Promise(setImmediate)
      it.answer()
    }
    expect((await announce).value.get('incomplete')).toBe(1)
    for (const [n, counts] of (await all).entries()) {
      expect(Object.keys(counts).sort()).toEqual(asked[n]!.map(String).sort())
      for (const [hash, count] of Object.entries(counts)) expect([0, stored(hash)]).toContain(count)
      if (Object.values(counts).every((count) => count > 0)) right++
    }
  }
  expect(it.serving.count('errors')).toEqual([0, 0])
})

test('a scrape whose count does not come gets the known counts, and so does one too many', async () => {
  await using it = await scene(() => 5)
  const { url } = it.serving
  const many = Array.from({ length: LIMITS.waitingScrapes + 10 }, (_, n) => told(url, hashOf(n)))
  for (const [n, counts] of (await Promise.all(many)).entries())
    expect(counts).toEqual({ [`${hashOf(n)}`]: 0 })
  expect(it.serving.count('scrapes')).toEqual([many.length, 0])
  expect(it.serving.count('responses')).toEqual([many.length, 0])
  // Their questions were answered: the next scrape gets the count at once.
  it.answer()
  expect(await told(url, hashOf(1))).toEqual({ [`${hashOf(1)}`]: 5 })
})

overBothPaths('over UDP', (isDirect) => {
  const stored = (hash: string) => 1_000_000 + Number(/\d+/.exec(hash)![0])

  test('scrapes that wait are told their own counts, each its sender, beside other requests', async () => {
    await using it = await scene(stored)
    using server = await serveUdpAlone(isDirect, { tracker: it.tracker, ip: '::' })
    const clients = await Promise.all(
      Array.from({ length: SCRAPES }, (_, n) =>
        connected(server.port, n % 3 === 0 ? '::1' : '127.0.0.1'),
      ),
    )
    for (let round = 0, right = 0; right < SCRAPES; round++) {
      expect(round).toBeLessThan(1_000)
      const first = round * SCRAPES * 2
      const asked = clients.map((_, n) =>
        n % 2 === 0 ? [hashOf(first + n)] : [hashOf(first + n), hashOf(first + SCRAPES + n)],
      )
      for (const [n, client] of clients.entries()) {
        client.send(scrapePacket(client.id, asked[n]!, first + n))
        // What comes behind it overtakes it, and uses the same memory.
        client.send(announcePacket(client.id, { port: 1000 + n, left: 1n, transaction: ANNOUNCED }))
      }
      let isOver = false
      const answers = Promise.all(
        clients.map(async (client) => {
          const both = [await client.receive(), await client.receive()]
          return both.find((answer) => transactionOf(answer) !== ANNOUNCED)!
        }),
      ).finally(() => {
        isOver = true
      })
      while (!isOver) {
        await new Promise(setImmediate)
        it.answer()
      }
      for (const [n, answer] of (await answers).entries()) {
        expect(transactionOf(answer)).toBe(first + n)
        const counts = readScrape(answer).map(([, downloaded]) => downloaded)
        expect(counts).toHaveLength(asked[n]!.length)
        for (const [i, count] of counts.entries())
          expect([0, stored(`${asked[n]![i]}`)]).toContain(count)
        if (counts.every((count) => count > 0)) right++
      }
    }
    for (const client of clients) client[Symbol.dispose]()
  })

  test('a scrape whose count does not come, one too many, and one during the stop get the known counts', async () => {
    await using it = await scene(stored)
    const server = await serveUdpAlone(isDirect, { tracker: it.tracker })
    using client = await connected(server.port)
    const many = LIMITS.waitingScrapes + 10
    for (let n = 0; n < many; n++) client.send(scrapePacket(client.id, [hashOf(n)], n))
    const told = new Set<number>()
    while (told.size < many) {
      const answer = await client.receive()
      expect(readScrape(answer)).toEqual([[0, 0, 0]])
      told.add(transactionOf(answer))
    }
    expect([server.count('scrapes'), server.count('responses')]).toEqual([many, many + 1])
    it.answer()
    expect(await client.scrape(hashOf(1))).toEqual([[0, stored(`${hashOf(1)}`), 0]])
    client.send(scrapePacket(client.id, [hashOf(5_000)], 5_000))
    await until('the last to wait', () => server.count('received') === many + 3)
    server[Symbol.dispose]()
    expect(transactionOf(await client.receive())).toBe(5_000)
    // Answered once: not again when it has waited for as long as it might.
    const responses = server.count('responses')
    await Bun.sleep(LIMITS.scrapeWaitMilliseconds * 2)
    expect(server.count('responses')).toBe(responses)
  })
})
