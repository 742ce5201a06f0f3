/**
 * What a WebTorrent tracker does with one message: who asks, what is asked, the tracker's word, the answer, and the
 * offers and answers that go on to other clients (docs/webtorrent.md). Synchronous from the first line to the last,
 * like the HTTP tracker. Opens no socket.
 */
import { Visitor } from '../access/gate.ts'
import {
  type Address,
  Answer,
  COUNT,
  EVENT,
  PeerList,
  type ScrapeEntry,
  SEAT,
  SeatAnnounce,
  type ShownKey,
  WEB,
} from '../bittorrent.ts'
import type { WebSocketTrackerConfig } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import { onceEach, type Report } from '../log/report.ts'
import { AT, addTime, type CLOSED, type CounterRow, REFUSED_AT } from '../memory/counters.ts'
import { type Refusal, refusalText, WARNINGS } from '../refusal.ts'
import type { Handed, Line, Relay, RelayedKind, Seat } from '../relay/relay.ts'
import type { Clock } from '../time/clock.ts'
import { Turns } from '../time/turns.ts'
import type { Scrape, Tracker } from '../tracker.ts'
import {
  escapeId,
  WebSocketRequest,
  writeAnnounced,
  writeAnswer,
  writeFailure,
  writeOffer,
  writeScraped,
} from '../wire/websocket.ts'
import type { ConnectionCounts } from './connection-counts.ts'
import type { Garbage } from './garbage.ts'
import type { RequestLog } from './request-log.ts'

export type WebSocketRequestsOptions = {
  readonly listener: WebSocketTrackerConfig
  readonly tracker: Tracker
  readonly relay: Relay
  readonly counters: CounterRow
  readonly connections: ConnectionCounts
  readonly garbage: Garbage
  readonly clock: Clock
  readonly report: Report
  readonly log: RequestLog
}

/** As far as clients use a `Bun.ServerWebSocket`. */
export type Socket = {
  send(text: string): number
  getBufferedAmount(): number
  pause(): void
  resume(): void
  close(code: number, reason: string): void
  terminate(): void
}

/** Why a connection ended: one of the counters for it. */
type Closed = (typeof CLOSED)[number]

/** One message of so many is timed. */
const TIMED_EVERY = 7
/** Bytes that a message leaves behind besides its text. */
const MESSAGE = 1_024
/** Bytes that a connection leaves behind, and each torrent that it was in: they are in use for long, so they are old. */
const CONNECTION = 4_096
const TORRENT = 256
/** Peers asked for beyond the offers: some of the peers may be the asker itself, on another socket. */
const SPARE_PEERS = 2
/** Bytes left of a leecher that does not know how many. */
const SOME = 1
const INTERNAL = 'internal error'
/** Codes of RFC 6455, 7.4.1. */
const NORMAL = 1000
const GOING_AWAY = 1001
const POLICY = 1008
/** Seconds between two looks for sockets that nothing is done with. */
const LOOK_SECONDS = 10

const MOST_OFFERS = LIMITS.webSocketOffersBurst

/** One socket, and all that is kept of it. */
export class Client implements Line {
  readonly requests: WebSocketRequests
  /** The endpoint of its seats, without the number: see `SEAT`. */
  readonly endpoint: Uint16Array
  readonly isIPv4: boolean
  /** Why its address is not known. */
  readonly fault: Refusal | undefined
  /** What its URL shows as an auth key on a private tracker, and the key. */
  readonly shows: ShownKey
  readonly key: Int32Array | undefined
  /** Where its address is counted, see `ConnectionCounts`. */
  readonly place: number
  /** Set when the connection is open. */
  socket: Socket | undefined
  /** By peer id. Some clients have one for each torrent. */
  readonly seats = new Map<string, Seat>()
  /** Torrents that its seats are in. */
  torrents = 0
  /** Whose its last announce was. */
  account = 0
  /** Second of its last announce. */
  heard: number
  faults = 0
  /** A tick, and messages that were read since; of one that is not read any more, those to wait for. */
  tick = 0
  messages = 0
  /** Offers that it may still make, as of the second of its last announce. */
  offers: number = MOST_OFFERS
  /** A second, and offers that it was sent in it. */
  offeredIn = 0
  offered = 0
  /** Why it is being closed, if it is by us. */
  closing: Closed | undefined

  constructor(
    requests: WebSocketRequests,
    visitor: Visitor,
    port: number,
    { place, now }: { readonly place: number; readonly now: number },
  ) {
    this.requests = requests
    this.place = place
    this.heard = now
    this.fault = visitor.fault
    this.shows = visitor.shows
    this.key = visitor.shows === 'key' ? visitor.key.words.slice() : undefined
    this.isIPv4 = visitor.address.family === 4
    this.endpoint = new Uint16Array(SEAT.halves)
    const bytes = new Uint8Array(this.endpoint.buffer)
    if (this.isIPv4) {
      bytes.fill(0xff, 10, 12)
      bytes.set(visitor.address.bytes.subarray(0, 4), 12)
    } else bytes.set(visitor.address.bytes)
    bytes[SEAT.port * 2] = port >> 8
    bytes[SEAT.port * 2 + 1] = port
  }

  deliver(kind: RelayedKind, text: string): boolean {
    return this.requests.deliver(this, kind, text)
  }
}

export class WebSocketRequests {
  #listener: WebSocketTrackerConfig
  readonly #options: WebSocketRequestsOptions
  readonly #counters: CounterRow
  readonly #report: Report
  readonly #visitor = new Visitor('connected')
  readonly #request = new WebSocketRequest()
  readonly #leaving = new SeatAnnounce()
  readonly #peers: PeerList
  readonly #answer: Answer
  /** The ids of an offer that is relayed: see `Relay.offer`. */
  readonly #ids = new Int32Array(15)
  readonly #clients = new Set<Client>()
  readonly #paused = new Set<Client>()
  readonly #timer: Timer
  #ticks = 0
  #untimed = 0
  #served = false
  /** Whether the message answers an offer: others decide how many of these a client sends, and are limited for it. */
  #isAskedFor = false

  constructor(options: WebSocketRequestsOptions) {
    this.#options = options
    this.#listener = options.listener
    this.#counters = options.counters
    this.#report = onceEach(options.report)
    const most = LIMITS.webSocketOffersPerAnnounce + SPARE_PEERS
    this.#peers = new PeerList(WEB, new Uint16Array(most * SEAT.halves), new Int32Array(most * 5))
    this.#answer = new Answer([this.#peers])
    this.#timer = setInterval(() => this.tick(), 1_000)
  }

  get listener(): WebSocketTrackerConfig {
    return this.#listener
  }

  /** The next message is served by these options. */
  follow(listener: WebSocketTrackerConfig): void {
    this.#listener = listener
  }

  opened(client: Client, socket: Socket): void {
    client.socket = socket
    this.#clients.add(client)
    this.#options.connections.opened(client.place)
    this.#count(client, AT.opened)
  }

  /** `how`: what is known of an end that was not ours. */
  closed(client: Client, how: Closed): void {
    this.#clients.delete(client)
    this.#paused.delete(client)
    this.#options.connections.closed(client.place)
    this.#count(client, AT[client.closing ?? how])
    client.socket = undefined
    for (const seat of client.seats.values()) {
      this.#options.relay.vacate(seat)
      try {
        for (const infoHash of seat.torrents.keys()) this.#leave(client, seat, infoHash)
      } catch (error) {
        // What it did not leave expires.
        this.#report('a WebSocket that was closed', error)
      }
    }
    this.#options.garbage.kept(CONNECTION + client.torrents * TORRENT)
  }

  /** Closes all connections, and looks after none any more. Others have their turns: each leaves all its torrents. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const turns = new Turns()
    for (const client of this.#clients) {
      this.#close(client, 'closedStopped', GOING_AWAY, 'Server closed')
      if (turns.isOver) await turns.next()
    }
  }

  /** Sends what another client relays; false: too much waits to be sent to this one. */
  deliver(client: Client, kind: RelayedKind, text: string): boolean {
    const isOffer = kind === 'offer'
    const { socket } = client
    if (socket === undefined || client.closing !== undefined) return false
    if (isOffer && this.#isOverwhelmed(client, socket)) {
      this.#count(client, AT.offersToSlow)
      return false
    }
    this.#count(client, isOffer ? AT.relayedOffers : AT.relayedAnswers)
    this.#send(client, text)
    return true
  }

  /** Whether a client has as many offers to read as it can be sent: it reads slowly, or others flood it. */
  #isOverwhelmed(client: Client, socket: Socket): boolean {
    const now = this.#options.clock.seconds()
    if (client.offeredIn !== now) {
      client.offeredIn = now
      client.offered = 0
    }
    return (
      ++client.offered > LIMITS.webSocketOffersTo ||
      socket.getBufferedAmount() > LIMITS.webSocketUnsentOffers
    )
  }

  message(client: Client, data: string | Buffer): void {
    if (client.closing !== undefined) return
    const began = this.#begin()
    const text = typeof data === 'string' ? data : data.toString()
    this.#count(client, AT.received)
    this.#counters[AT.bytesReceived + offsetOf(client)]! += text.length
    this.#options.garbage.made(MESSAGE + text.length)
    const now = this.#options.clock.seconds()
    try {
      this.#serve(client, text, now)
    } catch (error) {
      this.#unforeseen(client, error)
    }
    if (!this.#isAskedFor) this.#limit(client)
    if (began > 0 && this.#served)
      addTime(this.#counters, this.#request.kind, Bun.nanoseconds() - began)
  }

  /** Pings and pongs are no messages, but cost as much: those of a flood wait like messages. */
  pinged(client: Client): void {
    if (client.closing !== undefined) return
    this.#options.garbage.made(MESSAGE)
    this.#limit(client)
    this.#closeIfSlow(client)
  }

  #serve(client: Client, text: string, now: number): void {
    const request = this.#request
    const problem = request.read(text, this.#listener.max_offers)
    if (problem !== undefined) {
      this.#refuse(client, 'badQuery', `bad request: ${problem}`)
      if (++client.faults === LIMITS.webSocketFaults)
        this.#close(client, 'closedFaulty', POLICY, 'too many bad messages')
    } else if (request.kind === 'announce') this.#announce(client, now)
    else if (request.kind === 'answer') this.#relayAnswer(client)
    else this.#scrape(client)
  }

  /** The client is told, and stays. `failure`: that of a request which is no more the last one. */
  #unforeseen(client: Client, error: unknown, failure?: string): void {
    this.#report('a WebSocket message', error)
    this.#count(client, AT.errors)
    if (failure === undefined) this.#fail(client, INTERNAL)
    else this.#respond(client, failure)
  }

  /** When the message began, in nanoseconds, if it is one whose time is measured; else 0. */
  #begin(): number {
    this.#served = this.#isAskedFor = false
    if (++this.#untimed < TIMED_EVERY) return 0
    this.#untimed = 0
    return Bun.nanoseconds()
  }

  #announce(client: Client, now: number): void {
    const { announce, isLeftKnown, offers } = this.#request
    const { tracker, relay, log } = this.#options
    const isStopped = announce.event === EVENT.stopped
    const infoHash = textOf(announce.infoHash)
    const peerId = textOf(announce.peerId)
    if (client.torrents === LIMITS.webSocketTorrents) this.#forgetExpired(client, now)
    const seated = client.seats.get(peerId)
    const before = seated?.torrents.get(infoHash)
    const problem = isStopped || before !== undefined ? undefined : crowdOf(client, infoHash)
    if (problem !== undefined) {
      this.#refuse(client, 'badQuery', problem)
      return
    }
    if (!isLeftKnown) writeLeft(announce.counts, before?.left ?? SOME)
    const seat = seated ?? relay.seat(client, peerId)
    this.#place(announce, client, seat)
    announce.want = isStopped || offers === 0 ? 0 : offers + SPARE_PEERS
    const visitor = this.#meet(client)
    const answer = this.#answer
    const outcome = tracker.announceSeat(visitor, announce, answer, now)
    if (outcome !== 'served') {
      this.#refuse(client, outcome, announce.infoHash)
      return
    }

    client.account = visitor.account
    if (isStopped) this.#left(client, seat, infoHash)
    else {
      if (seated === undefined) {
        client.seats.set(peerId, seat)
        relay.seated(seat)
      }
      if (before === undefined) client.torrents++
      seat.torrents.set(infoHash, { left: readLeft(announce.counts), since: now })
    }
    this.#hear(client, now)
    this.#served = true
    this.#count(client, AT.announces)
    log.served('announce', visitor.address, announce.infoHash)
    const hash = escapeId(announce.words, 0)
    const { announce_interval: interval } = this.#listener
    const { seeders, leechers, downloaded, limit } = answer
    const warning = limit && WARNINGS[limit]
    this.#respond(client, writeAnnounced(hash, interval, seeders, leechers, downloaded, warning))
    if (offers > 0 && !isStopped) this.#relayOffers(client, seat, hash)
  }

  /** Every announce, with offers or without, allows the offers of the time since the one before. */
  #hear(client: Client, now: number): void {
    // Clocks may be set back.
    const idle = Math.max(0, now - client.heard)
    client.heard = now
    client.offers = Math.min(MOST_OFFERS, client.offers + idle * LIMITS.webSocketOffers)
  }

  #relayOffers(client: Client, seat: Seat, infoHash: string): void {
    const { offers, offerIds, sdps, announce } = this.#request
    const { relay } = this.#options
    const ids = this.#ids
    ids.set(announce.words)
    const peerId = escapeId(announce.words, 5)
    const { halves, count } = this.#peers
    let peer = 0
    for (let i = 0; i < offers; i++) {
      const at = i * 5
      let text: string | undefined
      let handed: Handed = 'gone'
      // What is gone from its thread may still be listed for a moment: the next one gets the offer.
      for (; handed === 'gone'; peer++) {
        while (peer < count && this.#isSelf(peer)) peer++
        if (peer >= count) {
          this.#count(client, AT.offersWithoutPeer, offers - i)
          return
        }
        if (client.offers < 1) {
          this.#count(client, AT.offersOverRate, offers - i)
          return
        }
        ids.set(offerIds.subarray(at, at + 5), 10)
        text ??= writeOffer(infoHash, peerId, escapeId(offerIds, at), sdps[i]!)
        const from = peer * SEAT.halves
        const to = halves[from + SEAT.seat]! * 0x1_0000 + halves[from + SEAT.seat + 1]!
        handed = relay.offer(halves[from + SEAT.thread]!, to, ids, seat, text)
      }
      client.offers--
      if (handed === 'crossed') this.#count(client, AT.crossed)
      else if (handed === 'link') this.#count(client, AT.offersOverLink)
    }
  }

  /** Whether a peer that was selected has the peer id of the asker: it is the same client on another socket. */
  #isSelf(peer: number): boolean {
    const { words } = this.#request.announce
    const ids = this.#peers.ids!
    for (let word = 0; word < 5; word++) if (ids[peer * 5 + word] !== words[5 + word]) return false
    return true
  }

  #relayAnswer(client: Client): void {
    const { announce, toPeerId, offerIds, sdps } = this.#request
    const { tracker, relay } = this.#options
    const refusal = tracker.mayRelay(this.#meet(client), announce.words)
    if (refusal !== undefined) {
      this.#refuse(client, refusal, announce.infoHash)
      return
    }
    const peerId = textOf(announce.peerId)
    const seat = client.seats.get(peerId)
    const ids = this.#ids
    ids.set(announce.words.subarray(0, 5))
    ids.set(toPeerId, 5)
    ids.set(offerIds.subarray(0, 5), 10)
    const offerer = seat && relay.offerer(seat, ids)
    if (offerer === undefined) {
      this.#count(client, AT.strayAnswers)
      return
    }
    this.#served = this.#isAskedFor = true
    this.#count(client, AT.answers)
    const text = writeAnswer(
      escapeId(announce.words, 0),
      escapeId(announce.words, 5),
      escapeId(offerIds, 0),
      sdps[0]!,
    )
    const handed = relay.answer(offerer.thread, offerer.seat, text)
    if (handed === 'crossed') this.#count(client, AT.crossed)
  }

  #scrape(client: Client): void {
    const { tracker, log } = this.#options
    const { hashes, count } = this.#request
    const visitor = this.#meet(client)
    const entries: Entries = []
    const outcome = tracker.scrape(visitor, scrapeOf(hashes, count, entries))
    if (outcome !== 'served' && outcome !== 'awaited') {
      this.#refuse(client, outcome)
      return
    }
    log.served('scrape', visitor.address)
    this.#served = true
    if (outcome === 'awaited') {
      const own = hashes.slice(0, count * 5)
      const later = tracker.whenKnown(own, (fill) => {
        const known: Entries = []
        try {
          fill(scrapeOf(own, count, known))
          this.#scraped(client, known)
        } catch (error) {
          this.#unforeseen(client, error, writeFailure(INTERNAL, 'scrape'))
        }
      })
      if (later !== undefined) return
    }
    this.#scraped(client, entries)
  }

  #scraped(client: Client, entries: Entries): void {
    this.#count(client, AT.scrapes)
    this.#respond(client, writeScraped(entries, this.#listener.announce_interval))
  }

  /** The client as the gate wants to see it. */
  #meet(client: Client): Visitor {
    const visitor = this.#visitor
    const { address } = visitor
    const { endpoint } = client
    address.family = client.isIPv4 ? 4 : 6
    const from = client.isIPv4 ? 6 : 0
    for (let word = 0; word < (client.isIPv4 ? 1 : 4); word++)
      address.words[word] = endpoint[from + word * 2]! | (endpoint[from + word * 2 + 1]! << 16)
    visitor.fault = client.fault
    visitor.shows = this.#options.tracker.isPrivate ? client.shows : 'none'
    if (client.key !== undefined) visitor.key.words.set(client.key)
    return visitor
  }

  /** Makes `announce` one of this seat. */
  #place(announce: SeatAnnounce, client: Client, { number }: Seat): void {
    const halves = announce.endpointHalves
    halves.set(client.endpoint)
    halves[SEAT.thread] = this.#options.relay.thread
    halves[SEAT.seat] = number / 0x1_0000
    halves[SEAT.seat + 1] = number
  }

  /** A torrent that a socket was in when it was closed. */
  #leave(client: Client, seat: Seat, infoHash: string): void {
    const leaving = this.#leaving
    writeText(infoHash, leaving.infoHash)
    writeText(seat.peerId, leaving.peerId)
    this.#place(leaving, client, seat)
    this.#options.tracker.leave(client.account, leaving)
  }

  /** Not all clients say that they leave a torrent. */
  #forgetExpired(client: Client, now: number): void {
    for (const seat of client.seats.values())
      for (const [infoHash, { since }] of seat.torrents) {
        if (now - since < this.#listener.peer_timeout) continue
        this.#leave(client, seat, infoHash)
        this.#left(client, seat, infoHash)
      }
  }

  /** The seat is not in this torrent any more, if it was. */
  #left(client: Client, seat: Seat, infoHash: string): void {
    if (!seat.torrents.delete(infoHash)) return
    client.torrents--
    if (seat.torrents.size > 0) return
    client.seats.delete(seat.peerId)
    this.#options.relay.vacate(seat)
  }

  /** A client that sends too much is not read for a while. What came in one piece is served, and waited for. */
  #limit(client: Client): void {
    if (client.tick !== this.#ticks) {
      client.tick = this.#ticks
      client.messages = 0
    }
    if (++client.messages % LIMITS.webSocketMessages !== 0 || client.closing !== undefined) return
    client.socket?.pause()
    this.#paused.add(client)
  }

  /** Once a second. */
  tick(): void {
    for (const client of this.#paused) {
      client.messages -= LIMITS.webSocketMessages
      if (client.messages <= 0) this.#read(client)
    }
    if (++this.#ticks % LOOK_SECONDS === 0) this.look()
  }

  #read(client: Client): void {
    if (this.#paused.delete(client)) client.socket?.resume()
  }

  /** Closes sockets that nothing was done with for long. */
  look(): void {
    const now = this.#options.clock.seconds()
    const { peer_timeout: timeout } = this.#listener
    for (const client of this.#clients) {
      const longest = LIMITS.webSocketUnused + (client.torrents > 0 ? timeout : 0)
      if (now - client.heard > longest) this.#close(client, 'closedIdle', NORMAL, 'in no torrent')
    }
  }

  #close(client: Client, why: Closed, code: number, reason: string): void {
    if (client.closing !== undefined) return
    client.closing = why
    // Its own close frame must be read.
    this.#read(client)
    client.socket?.close(code, reason)
  }

  #respond(client: Client, text: string): void {
    this.#count(client, AT.responses)
    this.#send(client, text)
  }

  #send(client: Client, text: string): void {
    const { socket } = client
    if (socket === undefined) return
    this.#counters[AT.bytesSent + offsetOf(client)]! += text.length
    this.#options.garbage.made(text.length)
    if (socket.send(text) <= 0) this.#closeIfSlow(client)
  }

  #closeIfSlow(client: Client): void {
    const { socket } = client
    if (socket === undefined || socket.getBufferedAmount() <= LIMITS.webSocketUnsent) return
    client.closing ??= 'closedSlow'
    socket.terminate()
  }

  /** `detail`: see `refusalText`. */
  #refuse(client: Client, refusal: Refusal, detail?: Uint8Array | string): void {
    const { kind } = this.#request
    const { tracker, log } = this.#options
    this.#count(client, AT.errors)
    this.#count(client, REFUSED_AT[kind][refusal])
    log.refused(kind, this.#addressOf(client), refusal, detail)
    this.#fail(client, refusalText(refusal, tracker.rules.schema, detail))
  }

  /** With what clients need to know whose failure it is: they close a connection that sends another. */
  #fail(client: Client, text: string): void {
    const { kind, hasInfoHash, announce } = this.#request
    const action = kind === 'scrape' ? 'scrape' : 'announce'
    const infoHash = hasInfoHash ? escapeId(announce.words, 0) : undefined
    this.#respond(client, writeFailure(text, action, infoHash))
  }

  #addressOf(client: Client): Address | undefined {
    return client.fault === undefined ? this.#meet(client).address : undefined
  }

  #count(client: Client, counter: number, more = 1): void {
    this.#counters[counter + offsetOf(client)]! += more
  }
}

/** What to add to the index of a counter for IPv4: 1 for a client that came over IPv6. */
const offsetOf = ({ isIPv4 }: Client): number => (isIPv4 ? 0 : 1)

/** Which limit a client would pass with another peer in this torrent. */
function crowdOf({ seats, torrents }: Client, infoHash: string): string | undefined {
  const { webSocketSeats, webSocketTorrents } = LIMITS
  if (torrents === webSocketTorrents)
    return `more than ${webSocketTorrents} torrents on one connection`
  let peers = 0
  for (const seat of seats.values())
    if (seat.torrents.has(infoHash) && ++peers === webSocketSeats)
      return `more than ${webSocketSeats} peer ids in one torrent on one connection`
  return undefined
}

type Entries = { readonly hash: string; readonly entry: ScrapeEntry }[]

const scrapeOf = (hashes: Int32Array, count: number, into: Entries): Scrape => ({
  count,
  hash: (i) => hashes.subarray(i * 5, i * 5 + 5),
  entry: (i, entry) => void into.push({ hash: escapeId(hashes, i * 5), entry: { ...entry } }),
})

/** 20 bytes as text, one character each. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
function writeText(text: string, to: Uint8Array): void {
  for (let i = 0; i < text.length; i++) to[i] = text.charCodeAt(i)
}

const LEFT = COUNT.left
const readLeft = (counts: Int32Array): number =>
  (counts[LEFT]! >>> 0) * 2 ** 32 + (counts[LEFT + 1]! >>> 0)
function writeLeft(counts: Int32Array, left: number): void {
  counts[LEFT] = left / 2 ** 32
  counts[LEFT + 1] = left
}
