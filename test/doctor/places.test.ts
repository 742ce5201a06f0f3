/** What the doctor says about the place where the tracker runs: IPv6, containers, the clock. */
import { describe, expect, test } from 'bun:test'
import { container, ipv6 } from '../../src/doctor/network.ts'
import { clock } from '../../src/doctor/system.ts'
import { changed, findingOn, GOOD, NOW, TEXT } from '../support/doctor/machines.ts'

const udp = (bind: string) => `[[udp_trackers]]\nbind_address = "${bind}"\n`
const SIX = { config: udp('[::]:6969') }
const FOUR = { config: udp('0.0.0.0:6969') }
const OFF = { ...GOOD, '/proc/sys/net/ipv6/conf/all/disable_ipv6': '1\n' }
const LINK_ONLY = {
  ...GOOD,
  '/proc/net/if_inet6': `00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd000000000000000000000000000001 05 40 00 80  docker0
`,
}
const WITHOUT = changed(GOOD, { '/proc/net/if_inet6': null })

describe('ipv6', () => {
  test.each([OFF, WITHOUT])('that is switched off cannot be bound, %#', async (files) => {
    const { status, found } = await findingOn(ipv6, files, SIX)
    expect([status, found]).toEqual([
      'problem',
      'udp_trackers[0] cannot be opened: IPv6 is switched off here',
    ])
    expect(await findingOn(ipv6, files, FOUR)).toMatchObject({ status: 'ok' })
  })

  test('with link-local addresses only is not enough', async () => {
    expect(await findingOn(ipv6, LINK_ONLY, SIX)).toMatchObject({ status: 'warning' })
    expect(await findingOn(ipv6, LINK_ONLY, FOUR)).toMatchObject({ status: 'ok' })
  })

  test('with a global address is reported, used or not', async () => {
    expect(await findingOn(ipv6, GOOD, SIX)).toMatchObject({
      status: 'ok',
      found: 'udp_trackers[0] can be reached through eth0',
    })
    expect(await findingOn(ipv6, GOOD, FOUR)).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('[::]:PORT instead of 0.0.0.0:PORT'),
    })
  })
})

/** A container: its interface is one end of a pair that leads to a bridge. */
const INSIDE = changed(GOOD, {
  '/.dockerenv': '',
  '/sys/class/net/eth0/device/vendor': null,
  '/proc/net/route': TEXT.ROUTE('010011AC'),
})

describe('container', () => {
  test('without any there is nothing to report', async () => {
    expect(await findingOn(container, GOOD)).toMatchObject({
      status: 'ok',
      found: 'no container, and no Docker bridge',
    })
  })

  test('behind a bridge without IPv6 gives all IPv6 clients one address', async () => {
    const { status, found } = await findingOn(container, {
      ...INSIDE,
      ...{ '/proc/net/if_inet6': '' },
    })
    expect(status).toBe('warning')
    expect(found).toStartWith(
      'in a container behind a bridge (its gateway is 172.17.0.1) without IPv6',
    )
    expect(found).toEndWith('[::] serves no client here')
  })

  test.each(['/run/.containerenv', '/.dockerenv'])('is recognised by %s', async (file) => {
    const files = changed(INSIDE, { '/.dockerenv': null, [file]: '' })
    expect(await findingOn(container, files)).toMatchObject({
      status: 'ok',
      found: 'in a container behind a bridge (its gateway is 172.17.0.1) with IPv6',
    })
  })

  test('is recognised by its control group', async () => {
    const cgroup = '11:memory:/docker/6ab1\n0::/system.slice/containerd.service\n'
    const files = changed(INSIDE, { '/.dockerenv': null, '/proc/1/cgroup': cgroup })
    expect((await findingOn(container, files)).found).toStartWith('in a container behind a bridge')
  })

  test('with the network of its host is fine', async () => {
    expect(await findingOn(container, { ...GOOD, '/.dockerenv': '' })).toMatchObject({
      status: 'ok',
      found: 'in a container, with the network cards of its host',
    })
  })

  const PROXY = {
    ...GOOD,
    '/sys/class/net/docker0/mtu': '1500\n',
    '/proc/815/comm': 'docker-proxy\n',
    '/proc/815/cmdline':
      '/usr/bin/docker-proxy\0-proto\0udp\0-host-ip\0::\0-host-port\x006969\0-container-ip\x00172.17.0.2\0',
  }

  test('seen from the host: a proxy hides the addresses of clients', async () => {
    const { status, found } = await findingOn(container, PROXY)
    expect(status).toBe('warning')
    expect(found).toStartWith('docker-proxy forwards port 6969:')
    expect(await findingOn(container, PROXY, { config: udp('0.0.0.0:6868') })).toMatchObject({
      status: 'ok',
    })
  })

  test('seen from the host: a bridge has IPv6 without forwarding', async () => {
    const files = {
      ...LINK_ONLY,
      '/sys/class/net/docker0/mtu': '1500\n',
      '/proc/sys/net/ipv6/conf/all/forwarding': '0\n',
    }
    expect(await findingOn(container, files)).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('net.ipv6.conf.all.forwarding is 0'),
    })
    const forwarding = { ...files, '/proc/sys/net/ipv6/conf/all/forwarding': '1\n' }
    expect(await findingOn(container, forwarding)).toMatchObject({ status: 'ok' })
  })
})

describe('clock', () => {
  const ALONE = changed(GOOD, { '/run/systemd/timesync/synchronized': null })
  const running = (name: string) => ({ ...ALONE, '/proc/4711/comm': `${name}\n` })

  test('is right if timesyncd has set it', async () => {
    expect(await findingOn(clock, GOOD)).toMatchObject({
      status: 'ok',
      found: '2026-03-01 12:00:00 UTC, kept by systemd-timesyncd',
    })
  })

  test.each(['chronyd', 'ntpd', 'ptp4l'])('is kept by %s', async (name) => {
    const { status, found } = await findingOn(clock, running(name))
    expect([status, found]).toEqual(['ok', expect.stringContaining(`kept by ${name};`)])
  })

  test('is doubtful without a time daemon, or with one that has not set it', async () => {
    expect(await findingOn(clock, ALONE)).toMatchObject({ status: 'warning' })
    expect(await findingOn(clock, running('systemd-timesyn'))).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('has not set the clock'),
    })
  })

  test('that is years behind is a problem', async () => {
    expect(await findingOn(clock, GOOD, { clock: 1_000_000_000 })).toMatchObject({
      status: 'problem',
    })
    expect(await findingOn(clock, GOOD, { clock: NOW })).toMatchObject({ status: 'ok' })
  })

  test('of a container is the clock of its host', async () => {
    expect(await findingOn(clock, { ...ALONE, '/.dockerenv': '' })).toMatchObject({
      status: 'skipped',
      found: expect.stringContaining('a container has the clock of its host'),
    })
  })
})
