/** WebTorrent over several serving threads: what crosses them, and what is left of one that dies. */
import { expect, test } from 'bun:test'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { until } from '../support/until.ts'
import { announce, answerTo, id, offers, Speaker, scrape } from '../support/webtorrent/speaker.ts'

const WEB = '[[websocket_trackers]]\nbind_address = "127.0.0.1:0"\n'

type Placed = { readonly speaker: Speaker; readonly thread: number; readonly peer: string }

/** Opens sockets and says which thread got each. */
function opener(tracker: TestTracker, workers: ReturnType<typeof captureWorkers>, threads: number) {
  const url = `ws://127.0.0.1:${tracker.ports.webSocket[0]}/announce`
  const opening = workers.all[0]!.setup!.listeners[0]!
  const { rows } = new ListenerCounters(threads, opening.counters)
  const opened = () => rows.map((row) => row[AT.opened]!)
  const all: Placed[] = []
  const open = async (): Promise<Placed> => {
    const before = opened()
    const speaker = await Speaker.open(url)
    const thread = opened().findIndex((count, i) => count > before[i]!) + 1
    const placed = { speaker, thread, peer: `peer ${all.length}` }
    all.push(placed)
    return placed
  }
  return { open, all }
}

/** Opens sockets until every thread has some. */
async function everywhere(open: () => Promise<Placed>, threads: number): Promise<Placed[]> {
  const placed: Placed[] = []
  await until('every thread to have a socket', async () => {
    placed.push(await open())
    return new Set(placed.map(({ thread }) => thread)).size === threads
  })
  return placed
}

test('W54: offers and answers cross from each thread to each other', async () => {
  const threads = 4
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: threads, rest: WEB })
  const placed = await everywhere(opener(tracker, workers, threads).open, threads)
  const named = new Map(placed.map((one) => [id(one.peer), one]))
  for (const { speaker, peer } of placed) await speaker.ask(announce('one', peer, { left: 1 }))
  const pairs = new Set<string>()
  let number = 0
  await until('each pair of threads', async () => {
    for (const { speaker, peer } of placed)
      speaker.send(announce('one', peer, { left: 1, ...offers(`offer ${number++}`) }))
    for (const { speaker, peer, thread } of placed)
      for (const message of await speaker.rest()) {
        if (message.offer !== undefined) speaker.send(answerTo(message, peer))
        if (message.answer === undefined) continue
        const answerer = named.get(message.peer_id)!.thread
        if (answerer !== thread) pairs.add(`${thread} to ${answerer}`)
      }
    return pairs.size === threads * (threads - 1)
  })
  for (const { speaker } of placed) speaker.close()
})

test('W34, W55: what a thread held is gone when it dies, and its successor is linked again', async () => {
  const threads = 2
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: threads, rest: WEB })
  const { open, all } = opener(tracker, workers, threads)
  const placed = await everywhere(open, threads)
  for (const { speaker, peer } of placed) {
    await speaker.ask(announce('one', peer, { left: 0 }))
    await speaker.ask(announce('two', peer, { left: 1 }))
  }
  const staying = placed.find(({ thread }) => thread === 1)!
  const here = placed.filter(({ thread }) => thread === 1).length
  workers.of(2).worker.terminate()
  for (const { speaker, thread } of placed) if (thread === 2) await speaker.closed
  const countsOf = async (hash: string) => (await staying.speaker.ask(scrape(hash))).files[id(hash)]
  await until('its seeders are gone', async () => (await countsOf('one')).complete === here)
  await until('its leechers are gone', async () => (await countsOf('two')).incomplete === here)
  await until('it is replaced', () =>
    tracker.lines.some((line) => line.includes('serving thread 2 is replaced')),
  )
  // Offers go to the new thread, and its answers come back.
  const fresh = await until('a socket of the new thread', async () => {
    const one = await open()
    return one.thread === 2 && one
  })
  await fresh.speaker.ask(announce('three', fresh.peer, { left: 0 }))
  let number = 0
  const offer = await until('an offer', async () => {
    const more = offers(`again ${number++}`)
    await staying.speaker.ask(announce('three', staying.peer, { left: 1, ...more }))
    return (await fresh.speaker.rest()).find((one) => one.offer !== undefined)
  })
  fresh.speaker.send(answerTo(offer, fresh.peer))
  expect(await staying.speaker.next()).toMatchObject({ peer_id: id(fresh.peer) })
  const { counters } = workers.of(2).setup.listeners[0]!
  const { open: left } = new ListenerCounters(threads, counters)
  expect(left.ipv4).toBeGreaterThanOrEqual(here + 1)
  for (const { speaker } of all) speaker.close()
  await until('none is counted as open', () => {
    const { ipv4 } = new ListenerCounters(threads, counters).open
    return ipv4 === 0
  })
})
