/**
 * Clients as they are: half of them announce over two addresses, datagrams are lost, some are silent for long, some end
 * without saying so, and half of the new starts keep the peer id. Beside them pairs of machines that share account,
 * torrent and peer id. The tracker crashes now and then.
 */
import { type AnnounceEvent, EVENT } from '../../../src/bittorrent.ts'

export type SimulatedAnnounce = {
  /** Each has one torrent. */
  readonly account: number
  readonly peer: number
  readonly endpoint: number
  readonly event: AnnounceEvent
  readonly up: number
  readonly down: number
  readonly left: number
  readonly at: number
}

export interface SimulatedTracker {
  announce(announce: SimulatedAnnounce): void
  /** Everything that is not stored is lost. */
  crash(): void
  /** Writes what it owes. */
  write(): void
  /** Bytes of upload that an account was credited. */
  credited(account: number): number
}

type Machine = {
  readonly account: number
  readonly endpoints: readonly number[]
  readonly isClone: boolean
  peer: number
  up: number
  down: number
  rate: number
  isRunning: boolean
  /** Second of what happens next, and of its next end. */
  next: number
  end: number
  seen: number
}

const CLIENTS = 400
const CLONES = 20
const INTERVAL = 1_800
const SIZE = 4e9
export const TIMEOUT = 2_700
const START = 1_700_000_000
const SECONDS = 2 * 86_400
/** Seconds for which the tracker is away when it crashed. */
const AWAY = 60

/** Truly sent, and credited, of ordinary accounts and of the shared ones. */
export type Simulated = {
  readonly sent: number
  readonly credited: number
  readonly sentByClones: number
  readonly creditedToClones: number
  /** Most that one ordinary account was credited of what it sent. */
  readonly most: number
}

export function simulate(
  tracker: SimulatedTracker,
  roll: (sides: number) => number,
  crashes: number,
): Simulated {
  const chance = (percent: number) => roll(10_000) < percent * 100
  let endpoints = 1
  let peers = 1
  const sent = new Float64Array(CLIENTS + CLONES)
  const machine = (account: number, isClone: boolean): Machine => ({
    account,
    isClone,
    endpoints: chance(50) && !isClone ? [endpoints++, endpoints++] : [endpoints++],
    peer: peers++,
    up: 0,
    down: 0,
    rate: 10_000 + roll(5_000_000),
    isRunning: false,
    next: START + roll(INTERVAL * 4),
    end: 0,
    seen: 0,
  })
  const machines: Machine[] = []
  for (let account = 0; account < CLIENTS; account++) machines.push(machine(account, false))
  for (let account = CLIENTS; account < CLIENTS + CLONES; account++) {
    const one = machine(account, true)
    // It was there long before the other.
    machines.push({ ...one, up: 6e9 }, { ...machine(account, true), peer: one.peer, up: 1e9 })
  }
  const crashAt = Array.from({ length: crashes }, () => START + 7_200 + roll(SECONDS - 14_400))
  crashAt.sort((a, b) => a - b)
  let awayUntil = 0

  const announce = (m: Machine, event: AnnounceEvent, at: number) => {
    m.endpoints.forEach((endpoint) => {
      if (at < awayUntil || chance(1)) return
      const left = Math.max(0, SIZE - m.down)
      tracker.announce({ ...m, endpoint, event, left, at })
    })
  }
  const move = (m: Machine, at: number) => {
    const bytes = Math.floor(m.rate * (at - m.seen) * (0.5 + roll(100) / 100))
    m.up += bytes
    sent[m.account]! += bytes
    const before = m.down
    m.down = Math.min(SIZE, m.down + Math.floor(bytes / 2))
    // Bad data is discarded now and then.
    if (before < m.down && chance(10)) m.down -= Math.min(m.down, 70_000)
    m.seen = at
  }
  const step = (m: Machine, at: number) => {
    if (!m.isRunning) {
      if (!m.isClone) {
        m.up = m.down = 0
        if (chance(50)) m.peer = peers++
      }
      m.isRunning = true
      m.seen = at
      m.end = at + 3 * 3_600 + roll(20 * 3_600)
      announce(m, EVENT.started, at)
      m.next = at + INTERVAL
      return
    }
    move(m, at)
    if (at >= m.end && !m.isClone) {
      if (!chance(15)) announce(m, EVENT.stopped, at)
      m.isRunning = false
      m.next = at + 300 + roll(3 * 3_600)
      return
    }
    announce(m, EVENT.none, at)
    const silent = chance(1) ? TIMEOUT * 2 : 0
    m.next = Math.max(at + 1, Math.min(at + INTERVAL + silent, m.isClone ? Infinity : m.end))
  }

  // A wheel of seconds: each holds the machines that do something then.
  const wheel = new Map<number, Machine[]>()
  const plan = (m: Machine) => {
    const due = wheel.get(m.next)
    if (due) due.push(m)
    else wheel.set(m.next, [m])
  }
  machines.forEach(plan)
  for (let at = START; at < START + SECONDS; at++) {
    if (crashAt[0] === at) {
      crashAt.shift()
      tracker.crash()
      awayUntil = at + AWAY
    }
    const due = wheel.get(at)
    if (!due) continue
    wheel.delete(at)
    for (const m of due) {
      step(m, at)
      plan(m)
    }
    // A crash in this second loses what was announced in it.
    if (crashAt[0] !== at + 1) tracker.write()
  }
  // Each says once more what it has.
  for (const m of machines)
    if (m.isRunning) for (let n = 0; n < 2; n++) step(m, START + SECONDS + n)
  tracker.write()

  const total = (from: number, to: number, of: (account: number) => number) => {
    let sum = 0
    for (let account = from; account < to; account++) sum += of(account)
    return sum
  }
  const credited = (account: number) => tracker.credited(account)
  let most = 0
  for (let account = 0; account < CLIENTS; account++)
    if (sent[account]! > 0) most = Math.max(most, credited(account) / sent[account]!)
  return {
    sent: total(0, CLIENTS, (account) => sent[account]!),
    credited: total(0, CLIENTS, credited),
    sentByClones: total(CLIENTS, CLIENTS + CLONES, (account) => sent[account]!),
    creditedToClones: total(CLIENTS, CLIENTS + CLONES, credited),
    most,
  }
}
