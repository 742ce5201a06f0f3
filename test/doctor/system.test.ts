/** What the doctor says about the kernel's settings and counters, limits and the clock; reading them ends whatever they hold. */
import { describe, expect, test } from 'bun:test'
import type { Check, Status } from '../../src/doctor/finding.ts'
import { Machine, Unreadable } from '../../src/doctor/machine.ts'
import {
  clock,
  conntrack,
  files,
  memory,
  receiveBuffer,
  receiveDrops,
} from '../../src/doctor/system.ts'
import {
  findingOn,
  findingsOn,
  GOOD,
  running,
  type Setting,
  TEXT,
} from '../support/doctor/machines.ts'
import { type Files, temporaryDirectory } from '../support/temporary-directory.ts'

const ALL = [receiveBuffer, receiveDrops, conntrack, files, memory, clock]
const ONLY_HTTP = { config: '[[http_trackers]]\n' }
const ONLY_UDP = { config: '[[udp_trackers]]\n' }

describe('a machine', () => {
  test('without a fault gets no advice', async () => {
    const findings = await findingsOn(ALL, GOOD)
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([])
  })

  test('without readable files is not looked at, and the reason is given', async () => {
    const found = 'not looked at, because /proc/'
    for (const check of [receiveBuffer, receiveDrops, conntrack, files])
      expect(await findingOn(check, {})).toMatchObject({
        status: 'skipped',
        found: expect.stringMatching(new RegExp(`^${found}\\S+: no such file or directory$`)),
      })
  })

  test('whose files hold nonsense has no problem', async () => {
    const nonsense = Object.fromEntries(Object.keys(GOOD).map((name) => [name, ': -1 \x00 zz\n\n']))
    const findings = await findingsOn(ALL, nonsense)
    expect(findings.filter(({ status }) => /problem|warning/.test(status))).toEqual([])
  })

  test('of this kind is read, too', () => {
    const machine = new Machine()
    expect(machine.facts.memory).toBeGreaterThan(2 ** 20)
    if (process.platform === 'linux')
      expect(machine.text('/proc/self/limits')).toContain('Max open files')
    using here = temporaryDirectory({ '/proc/word': 'many\n' })
    expect(() => new Machine(here.path).number('/proc/word')).toThrow(
      new Unreadable('/proc/word does not hold a number'),
    )
  })
})

type Case = [what: string, Files, Setting, status: Status, found: RegExp]

const judged = (check: Check, cases: readonly Case[]) =>
  describe(check.name, () => {
    test.each([...cases])('%s', async (_what, changes, setting, status, found) => {
      const finding = await findingOn(check, { ...GOOD, ...changes }, setting)
      expect(finding).toMatchObject({ status, found: expect.stringMatching(found) })
      // What asks for something says why, and what to type.
      const { why = '', advice = [] } = finding
      const asks = status === 'problem' || status === 'warning'
      expect([why !== '', advice.length > 0]).toEqual([asks, asks])
      expect([finding.found, why, ...advice].join()).not.toContain('\n')
    })
  })

const buffer = (bytes: number) => ({ '/proc/sys/net/core/rmem_max': `${bytes}\n` })
judged(receiveBuffer, [
  ['too small by a byte', buffer(8 * 2 ** 20 - 1), {}, 'warning', /asks for 8 MiB$/],
  ['as most systems have it', buffer(212_992), {}, 'warning', /^net.core.rmem_max is 208 KiB,/],
  ['without UDP', buffer(1), ONLY_HTTP, 'skipped', /no UDP tracker is configured$/],
])

const [UDP4, UDP6] = ['/proc/net/udp', '/proc/net/udp6']
judged(receiveDrops, [
  // Port 0x1B39 is 6969; the other socket of the table has lost 7.
  ['of this port alone', {}, {}, 'ok', /^0 datagrams lost since the 1 UDP socket .* was opened$/],
  ['of IPv4', { [UDP4]: TEXT.UDP(3) }, {}, 'warning', /^3 datagrams lost/],
  [
    'of both families',
    { [UDP6]: TEXT.UDP(4) },
    {},
    'warning',
    /^4 .* 2 UDP sockets .* were opened$/,
  ],
  ['without a listener', { [UDP4]: '' }, {}, 'skipped', /nothing listens on the configured/],
  ['without UDP', {}, ONLY_HTTP, 'skipped', /no UDP tracker is configured$/],
])

const TRACKING = '/proc/sys/net/netfilter/nf_conntrack'
const table = (used: number, most = 262_144) => ({
  [`${TRACKING}_count`]: `${used}\n`,
  [`${TRACKING}_max`]: `${most}\n`,
})
const REFUSED = { '/proc/net/stat/nf_conntrack': TEXT.CONNTRACK('000000ff', '00000010') }
judged(conntrack, [
  ['with room', table(183_500), {}, 'ok', /^183,500 of 262,144 connections are tracked \(70 %\)/],
  ['filling', table(183_501), {}, 'warning', /^183,501 of/],
  ['nearly full', table(235_929), {}, 'warning', /^235,929 of/],
  ['full', table(235_930), {}, 'problem', /^235,930 of/],
  ['without a limit', table(900_000, 0), {}, 'ok', /^900,000 of any number/],
  ['small', table(0, 32_767), {}, 'warning', /^0 of 32,767/],
  ['that was full', REFUSED, {}, 'warning', / 272 refused since boot$/],
  ['without UDP', table(262_144), ONLY_HTTP, 'skipped', /no UDP tracker is configured$/],
])

const limit = (count: number | string) => ({ '/proc/self/limits': TEXT.LIMITS(`${count}`) })
const process815 = (command: string) => ({
  '/proc/815/cmdline': command.replaceAll(' ', '\0'),
  '/proc/815/limits': TEXT.LIMITS('512'),
})
/** Two listeners that allow as many connections each; 0: as many as there are files for. */
const WEBSOCKETS = (connections: number) => ({
  config: [8000, 8001]
    .map(
      (port) =>
        `[[websocket_trackers]]\nbind_address = "[::]:${port}"\nmax_connections = ${connections}\n`,
    )
    .join(''),
})
const RUNS = { context: { tracker: running({}) } }
judged(files, [
  ['far too few', limit(2_047), ONLY_HTTP, 'problem', /^a process of this user may open 2,047 /],
  ['few', limit(65_535), ONLY_HTTP, 'warning', / 65,535 files$/],
  ['enough', limit(65_536), ONLY_HTTP, 'ok', / 65,536 files$/],
  ['as a shell has it, with browsers', limit(1_024), WEBSOCKETS(0), 'problem', / 1,024 files$/],
  ['enough for browsers', limit(65_536), WEBSOCKETS(0), 'ok', / 65,536 files$/],
  ['enough for all that may come', limit(200_256), WEBSOCKETS(100_000), 'ok', / 200,256 files$/],
  [
    'less than may come',
    limit(200_255),
    WEBSOCKETS(100_000),
    'warning',
    / 200,255 files, but websocket_trackers\.max_connections allows 200,000 connections$/,
  ],
  ['enough for UDP', limit(1_024), ONLY_UDP, 'ok', / 1,024 files$/],
  ['without a limit', limit('unlimited'), {}, 'ok', / any number of files$/],
  ['of the service', process815('/bin/tracker '), RUNS, 'problem', /^the running tracker .* 512 /],
  ['of no other command', process815('tracker bench'), RUNS, 'ok', /^a process of this user/],
  ['of no other tracker', process815('/bin/tracker '), {}, 'ok', /^a process of this user/],
])

test('the advice is enough for the connections that are allowed', async () => {
  const advice = async (connections: number) =>
    (await findingOn(files, { ...GOOD, ...limit(1_024) }, WEBSOCKETS(connections))).advice
  expect(await advice(0)).toEqual([
    'systemctl edit tracker  # and write: [Service], LimitNOFILE=524288',
    'docker run --ulimit nofile=65536:65536 …',
    'ulimit -n 65536  # where a shell starts it; as root, if the shell refuses',
  ])
  expect(await advice(300_000)).toEqual([
    'systemctl edit tracker  # and write: [Service], LimitNOFILE=1048576',
    'docker run --ulimit nofile=1048576:1048576 …',
    'ulimit -n 1048576  # where a shell starts it; as root, if the shell refuses',
  ])
})

const swarm = (max: string) => ({ config: `[runtime]\nmax_memory = "${max}"\n` })
const DEFAULT = { config: '' }
const SMALL = { config: '', facts: { memory: 2 ** 28 } }
const uses = (used: number, isOurs = true) => ({
  context: { tracker: running({ memory: { used, limit: 2 ** 30 } }, isOurs) },
})
judged(memory, [
  ['half of it by default', {}, DEFAULT, 'ok', /^torrents and peers may take 2 GiB of 4 GiB /],
  ['too little', {}, swarm('5GiB'), 'problem', / 5 GiB of 4 GiB /],
  ['nothing for the rest', {}, swarm('4GiB'), 'warning', / 4 GiB of 4 GiB /],
  ['of a small container', {}, SMALL, 'warning', / 128 MiB of 256 MiB /],
  ['in use', {}, uses(2 ** 20), 'ok', / have 1 MiB and may take 1 GiB of 4 GiB /],
  ['nearly spent', {}, uses(0.95 * 2 ** 30), 'warning', / have 972.8 MiB and may take 1 GiB /],
  ['of another tracker', {}, uses(2 ** 30, false), 'ok', /^torrents and peers may take 2 GiB /],
])

judged(clock, [
  ['kept right', {}, {}, 'ok', /^2026-03-01 12:00:00 UTC, kept right/],
  ['left alone', {}, { facts: { clockIsKept: false } }, 'warning', /no program keeps it right$/],
  ['of which little is known', {}, { facts: { clockIsKept: undefined } }, 'skipped', /not tell/],
])

test('advice sets the kernel now, and at every start', async () => {
  const { advice } = await findingOn(receiveBuffer, { ...GOOD, ...buffer(212_992) })
  expect(advice?.slice(0, 2)).toEqual([
    'sysctl -w net.core.rmem_max=8388608',
    `printf '%s\\n' 'net.core.rmem_max = 8388608' >> /etc/sysctl.d/90-tracker.conf`,
  ])
})
