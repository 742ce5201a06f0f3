import { expect, test } from 'bun:test'
import { type AnnounceEvent, EVENT } from '../../src/bittorrent.ts'
import { KeptBooks } from '../support/accounting/kept-books.ts'
import { type NaiveAnnounce, NaiveBooks } from '../support/naive/books.ts'
import { dice, seed } from '../support/random.ts'

const EVENTS: readonly AnnounceEvent[] = [0, 0, 0, 0, EVENT.completed, EVENT.started, EVENT.stopped]

test('books and their slow twin agree, whatever is written, lost and forgotten when', () => {
  const roll = dice()
  for (let run = 0; run < 30; run++) {
    const overSpeed = (['flag', 'clamp', 'drop'] as const)[roll(3)]!
    const settings = {
      upPercent: 100 + roll(200),
      downPercent: roll(101),
      maxBytesPerSecond: 1 + roll(10_000),
      overSpeed,
    }
    const kept = new KeptBooks({ settings, capacity: 2_000 })
    const naive = new NaiveBooks({
      ...settings,
      mostPerSecond: settings.maxBytesPerSecond,
      timeout: 2_700,
      idle: 450,
    })
    let write: (() => () => void) | undefined
    const counters = new Map<string, { up: bigint; down: bigint }>()
    for (let step = 0; step < 400; step++) {
      const context = `SEED=${seed} run ${run} step ${step}`
      kept.now += [0, 0, 0, 1, 30, 600, 1_800][roll(7)]!
      const what = roll(20)
      if (what < 15) {
        const [account, torrent, peer] = [1 + roll(2), 1 + roll(2), 1 + roll(3)]
        const key = `${account}/${torrent}/${peer}`
        const before = counters.get(key) ?? { up: 0n, down: 0n }
        const move = roll(12)
        const up = move === 0 ? BigInt(roll(5)) : before.up + BigInt(roll(10 ** 6))
        const down =
          move === 0 ? 0n : move === 1 ? before.down / 2n : before.down + BigInt(roll(2 ** 27))
        counters.set(key, { up, down })
        const said: NaiveAnnounce = {
          account,
          torrent,
          peer,
          endpoint: 1 + roll(2),
          event: EVENTS[roll(EVENTS.length)]!,
          up: roll(200) === 0 ? 2n ** 64n - 1n : up,
          down,
          left: BigInt(roll(2) * 1_000),
          at: kept.now,
          limited: roll(10) === 0,
          leechers: roll(3),
        }
        kept.say({ ...said, limit: said.limited ? 'slots' : undefined })
        kept.answerAll()
        naive.announce(said)
        naive.heard(said)
      } else if (what === 15) {
        kept.expire()
        naive.expire(kept.now)
      } else if (what === 16 && roll(3) === 0) {
        // It may have been stored, and the books did not hear of it.
        if (write && roll(2) === 0) {
          kept.write(false)
          write()
        }
        write = undefined
        kept.crash()
        naive.crash()
      } else if (write) {
        kept.write()
        write()()
        write = undefined
        compare(kept, naive, context)
      } else if (kept.freeze()) write = naive.freeze()
    }
    kept.write()
    write?.()()
    kept.settle()
    naive.freeze()()()
    compare(kept, naive, `SEED=${seed} run ${run} end`)
    expect(kept.books.figures).toMatchObject({ owedBytes: 0, owedRecords: 0, oldestOwed: 0 })
  }
})

type Client = {
  account: number
  torrent: number
  peer: number
  up: number
  /** What was told of it, and what of that the books could know of. */
  told: number
  sent: number
  endpoints: number
  isRunning: boolean
}

test('N16: whatever is answered, written and lost when, no byte counts twice, and without a crash none is lost', () => {
  const roll = dice()
  for (let run = 0; run < 60; run++) {
    const crashes = run % 2 === 0 ? 0 : 4
    const kept = new KeptBooks({ capacity: 2_000 })
    let peers = 0
    const clients = Array.from(
      { length: 12 },
      (_, i): Client => ({
        account: 1 + (i % 3),
        torrent: 1 + (i % 2),
        peer: ++peers,
        up: 0,
        told: 0,
        sent: 0,
        endpoints: 1 + roll(2),
        isRunning: false,
      }),
    )
    const announce = (client: Client, event: AnnounceEvent) => {
      const { account, torrent, peer, up, endpoints } = client
      for (let endpoint = 1; endpoint <= endpoints; endpoint++)
        kept.note({ account, torrent, peer, up, event, left: 0, endpoint: peer * 2 + endpoint })
      client.sent += up - client.told
      client.told = up
    }
    const step = (client: Client) => {
      if (!client.isRunning) {
        client.isRunning = true
        client.up = client.told = 0
        if (roll(2) === 0) client.peer = ++peers
        announce(client, EVENT.started)
        return
      }
      if (roll(10) === 0) {
        // Its connection is lost. It goes on with the next one.
        const { account, torrent, peer, endpoints } = client
        kept.note({ account, torrent, peer, endpoint: peer * 2 + endpoints, isGone: true })
      }
      client.up += roll(1_000)
      client.isRunning = roll(10) > 0
      announce(client, client.isRunning ? EVENT.none : EVENT.stopped)
    }
    let answer: (() => void) | undefined
    const began = kept.now
    for (let n = 0; n < 600; n++) {
      kept.now += [0, 1, 1, 60, 600][roll(5)]!
      const what = roll(30)
      if (what < 15) step(clients[roll(clients.length)]!)
      else if (what < 21) kept.drain(1 + roll(8))
      else if (what < 24) {
        answer?.()
        answer = undefined
      } else if (what < 26) answer ??= kept.ask()
      else if (what < 28) {
        kept.freeze(roll(2) === 0)
        // Sometimes nothing is heard of it, and it is written again.
        if (roll(3) > 0) kept.write(roll(3) > 0)
      } else if (what === 28) kept.expire()
      else if (crashes > 0 && roll(600 / crashes / 10) === 0) {
        kept.crash()
        answer = undefined
      }
    }
    answer?.()
    kept.write()
    kept.settle()
    for (const account of [1, 2, 3])
      for (const torrent of [1, 2]) {
        const context = `SEED=${seed} run ${run} record ${account}/${torrent}`
        const sent = clients
          .filter((client) => client.account === account && client.torrent === torrent)
          .reduce((sum, client) => sum + client.sent, 0)
        const { up = 0n, seed: seconds = 0 } = kept.record(account, torrent)
        expect(seconds, context).toBeLessThanOrEqual(kept.now - began)
        if (crashes === 0) expect(up, context).toBe(BigInt(sent))
        else expect(up, context).toBeLessThanOrEqual(BigInt(sent))
      }
    expect(kept.books.figures).toMatchObject({ owedBytes: 0, owedRecords: 0, oldestOwed: 0 })
  }
})

function compare(kept: KeptBooks, naive: NaiveBooks, context: string): void {
  const ours: Record<string, unknown> = {}
  const theirs: Record<string, unknown> = {}
  for (const account of [1, 2])
    for (const torrent of [1, 2]) {
      const name = `${account}/${torrent}`
      const record = kept.record(account, torrent)
      ours[name] = [
        record.up ?? 0n,
        record.down ?? 0n,
        record.creditedUp ?? 0n,
        record.creditedDown ?? 0n,
        record.seed ?? 0,
        record.leech ?? 0,
        record.announces ?? 0,
        record.completed ?? false,
        record.lastSeen ?? 0,
      ]
      const twin = naive.records.get(name)
      theirs[name] = twin
        ? [
            twin.up,
            twin.down,
            twin.creditedUp,
            twin.creditedDown,
            twin.seed,
            twin.leech,
            twin.announces,
            twin.completed,
            twin.lastSeen,
          ]
        : [0n, 0n, 0n, 0n, 0, 0, 0, false, 0]
    }
  ours.sessions = kept.stored.sessions.size
  theirs.sessions = naive.rows.size
  expect(ours, context).toEqual(theirs)
}
