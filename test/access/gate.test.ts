/** The consequences of proofs and bans, for requests of any transport. */
import { describe, expect, test } from 'bun:test'
import { Bans } from '../../src/access/bans.ts'
import { Gate, type Proof, Visitor } from '../../src/access/gate.ts'
import type { IdErrors } from '../../src/rules.ts'
import { Rules } from '../../src/rules.ts'
import { writeSource } from '../../src/wire/address.ts'
import { policy } from '../support/servers/served-http.ts'

const WORDS = new Int32Array(5)
const LIMIT = 2
const CLOCK = { seconds: () => 0, milliseconds: () => 0 }

function scene(idErrors: IdErrors, errors: number) {
  const rules = Rules.of({ ...policy, idErrors, banLimit: LIMIT })
  const bans = new Bans(rules, Int32Array.of(1))
  const gate = new Gate(rules, CLOCK, bans, undefined)
  const visitor = new Visitor('forged')
  writeSource('192.0.2.1', visitor.address)
  for (let i = 0; i < errors; i++) bans.add(visitor.address)
  const announce = (proof: Proof) => {
    visitor.proof = proof
    return gate.announce(visitor, WORDS)
  }
  const scrape = (proof: Proof) => {
    visitor.proof = proof
    return gate.scrape(visitor)
  }
  return { bans, gate, visitor, announce, scrape }
}

describe.each<[IdErrors, Record<Exclude<Proof, 'connected'>, string | undefined>]>([
  ['serve', { valid: undefined, expired: undefined, early: undefined, forged: undefined }],
  ['suppress', { valid: undefined, expired: 'Unproven', early: 'Unproven', forged: 'banned' }],
  ['ban', { valid: 'banned', expired: 'banned', early: 'banned', forged: 'banned' }],
])('%s', (idErrors, guilty) => {
  const proofs = Object.keys(guilty) as Exclude<Proof, 'connected'>[]

  test.each(proofs)('with an id that is %s', (proof) => {
    const innocent = proof === 'valid' || idErrors === 'serve' ? undefined : 'Unproven'
    const named = (kind: string, fault: string | undefined) =>
      fault === 'Unproven' ? `${kind}${fault}` : fault
    const free = scene(idErrors, LIMIT)
    expect(free.announce(proof)).toBe(named('announce', innocent) as undefined)
    const held = scene(idErrors, LIMIT + 1)
    expect(held.announce(proof)).toBe(named('announce', guilty[proof]) as undefined)
    expect(held.scrape(proof)).toBe(named('scrape', guilty[proof]) as undefined)
  })

  test('only forged ids count, where any do', () => {
    const it = scene(idErrors, 0)
    for (const proof of ['valid', 'expired', 'early', 'connected'] as const) {
      it.announce(proof)
      it.scrape(proof)
    }
    expect(it.bans.size).toBe(0)
    it.scrape('forged')
    expect(it.bans.size).toBe(idErrors === 'serve' ? 0 : 1)
  })

  test('a client that is connected is served, whatever its address did over UDP', () => {
    const it = scene(idErrors, LIMIT + 1)
    expect([it.announce('connected'), it.scrape('connected')]).toEqual([undefined, undefined])
  })

  test('other datagrams are dropped unread by ban, and junk by suppress', () => {
    const drops = (errors: number) => {
      const { gate, visitor } = scene(idErrors, errors)
      return [gate.drops(visitor.address, 'unread'), gate.drops(visitor.address, 'junk')]
    }
    expect(drops(LIMIT)).toEqual([false, false])
    expect(drops(LIMIT + 1)).toEqual([idErrors === 'ban', idErrors !== 'serve'])
  })
})
