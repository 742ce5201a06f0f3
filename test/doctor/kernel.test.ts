/** What the doctor says about the kernel's settings and counters: datagrams, cores, limits. */
import { describe, expect, test } from 'bun:test'
import { conntrack } from '../../src/doctor/conntrack.ts'
import { maskOf, receiveBacklog, softirq, workers } from '../../src/doctor/processor.ts'
import { receiveBuffer, receiveDrops } from '../../src/doctor/receive.ts'
import { files, memory, swap } from '../../src/doctor/system.ts'
import {
  BAD,
  CONFIG,
  changed,
  findingOn,
  findingsOn,
  GOOD,
  TEXT,
} from '../support/doctor/machines.ts'

const KERNEL = [
  ...[receiveBuffer, receiveDrops, conntrack, softirq, receiveBacklog],
  ...[workers, files, memory, swap],
]

const ONLY_HTTP = '[[http_trackers]]\n'

describe('a whole machine', () => {
  test('without a fault gets no advice', async () => {
    const findings = await findingsOn(KERNEL, GOOD)
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(findings.filter(({ advice }) => advice !== undefined)).toEqual([])
  })

  test('with every fault gets advice on each', async () => {
    const findings = await findingsOn(KERNEL, BAD)
    expect(Object.fromEntries(findings.map(({ check, status }) => [check, status]))).toEqual({
      'receive-buffer': 'warning',
      'receive-drops': 'warning',
      conntrack: 'problem',
      softirq: 'warning',
      'receive-backlog': 'warning',
      workers: 'warning',
      files: 'problem',
      memory: 'problem',
      swap: 'warning',
    })
    for (const { advice } of findings) expect(advice?.length).toBeGreaterThan(0)
    for (const { found, advice } of findings) expect([found, ...advice!].join()).not.toContain('\n')
  })

  test('without readable files is skipped, with the reason', async () => {
    const findings = await findingsOn(KERNEL, {})
    for (const { check, status, found } of findings)
      if (check !== 'workers')
        expect([check, status, found]).toEqual([
          check,
          'skipped',
          expect.stringMatching(/^\/proc\/\S+ does not exist/),
        ])
  })

  test('whose files hold nonsense has no problem', async () => {
    const nonsense = Object.fromEntries(Object.keys(GOOD).map((name) => [name, ': -1 \x00 zz\n\n']))
    const findings = await findingsOn(KERNEL, nonsense)
    expect(findings.filter(({ status }) => status === 'problem')).toEqual([])
  })

  test('with another system is skipped, except for its cores', async () => {
    const findings = await findingsOn(KERNEL, {}, { facts: { platform: 'darwin' } })
    for (const { check, status, found } of findings)
      if (check === 'workers') expect(status).toBe('ok')
      else expect([status, found]).toEqual(['skipped', 'only checked on Linux, and this is darwin'])
  })
})

describe('receive-buffer', () => {
  const set = (bytes: number) => ({ ...GOOD, '/proc/sys/net/core/rmem_max': `${bytes}\n` })

  test('must be as large as the tracker asks for, to the byte', async () => {
    expect((await findingOn(receiveBuffer, set(8 * 2 ** 20))).status).toBe('ok')
    expect(await findingOn(receiveBuffer, set(8 * 2 ** 20 - 1))).toMatchObject({
      status: 'warning',
    })
  })

  test('advises how to set it now and permanently', async () => {
    const { found, advice } = await findingOn(receiveBuffer, set(212_992))
    expect(found).toStartWith('net.core.rmem_max is 208 KiB, the tracker asks for 8 MiB')
    expect(advice?.slice(0, 2)).toEqual([
      'sysctl -w net.core.rmem_max=8388608',
      `printf '%s\\n' 'net.core.rmem_max = 8388608' >> /etc/sysctl.d/90-tracker.conf`,
    ])
  })

  test('is skipped without UDP', async () => {
    for (const check of [receiveBuffer, receiveDrops, conntrack])
      expect(await findingOn(check, BAD, { config: ONLY_HTTP })).toMatchObject({
        status: 'skipped',
        found: 'no UDP tracker is configured',
      })
  })
})

describe('receive-drops', () => {
  test('counts only the sockets on the configured ports', async () => {
    const { status, found } = await findingOn(receiveDrops, GOOD)
    expect(status).toBe('ok')
    // Port 0x1B39 is 6969; the other socket of the table has lost 7.
    expect(found).toStartWith('1 socket on the configured UDP ports: 0 datagrams lost')
  })

  test('warns of datagrams lost in the past', async () => {
    const lost = { ...GOOD, '/proc/net/udp': TEXT.UDP(3) }
    expect(await findingOn(receiveDrops, lost)).toMatchObject({ status: 'warning' })
    const everywhere = { ...GOOD, '/proc/net/snmp': TEXT.SNMP(998_000, 2_000) }
    const { status, found } = await findingOn(receiveDrops, everywhere)
    expect(status).toBe('warning')
    expect(found).toContain('2,000 of 1,000,166 UDP datagrams (0.2 %)')
  })

  test('is a problem while datagrams are being lost', async () => {
    const meanwhile = { '/proc/net/udp': TEXT.UDP(130) }
    const before = { ...GOOD, '/proc/net/udp': TEXT.UDP(30) }
    const { status, found } = await findingOn(receiveDrops, before, { meanwhile })
    expect(status).toBe('problem')
    expect(found).toStartWith('the tracker loses datagrams right now, 100 during this check')
  })

  test('works without IPv6, and without a listener', async () => {
    const four = changed(GOOD, { '/proc/net/snmp6': null, '/proc/net/udp6': null })
    expect(await findingOn(receiveDrops, { ...four, '/proc/net/udp': '' })).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('nothing listens on the configured UDP ports'),
    })
  })
})

describe('conntrack', () => {
  const use = (count: number) => ({
    ...GOOD,
    '/proc/sys/net/netfilter/nf_conntrack_count': `${count}\n`,
  })

  test.each([
    [183_500, 'ok'],
    [183_501, 'warning'],
    [235_929, 'warning'],
    [235_930, 'problem'],
  ])('%d of 262144 entries: %s', async (count, status) => {
    expect(await findingOn(conntrack, use(count))).toMatchObject({ status })
  })

  test('warns of past overflows, and is a problem while it overflows', async () => {
    const drops = (text: string) => ({ '/proc/net/stat/nf_conntrack': text })
    expect(
      await findingOn(conntrack, { ...GOOD, ...drops(TEXT.CONNTRACK('000000ff')) }),
    ).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('overflowed 255 times since boot'),
    })
    const meanwhile = drops(TEXT.CONNTRACK('00000000', '00000010'))
    expect(await findingOn(conntrack, GOOD, { meanwhile })).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('the table overflows, 16 times during this check'),
    })
  })

  test('advises how to keep the configured ports out of the table', async () => {
    const config = `${CONFIG}[[udp_trackers]]\nbind_address = "0.0.0.0:6868"\n`.replace(
      /(\[runtime\]\n.*\n)(.*)$/s,
      '$2$1',
    )
    const { advice } = await findingOn(conntrack, use(260_000), { config })
    expect(advice).toContain(
      "nft add rule inet tracker prerouting udp dport '{ 6969, 6868 }' notrack",
    )
    expect(advice).toContain('sysctl -w net.netfilter.nf_conntrack_max=1048576')
  })

  test('with a limit of 0 has no limit', async () => {
    const unlimited = { ...use(900_000), '/proc/sys/net/netfilter/nf_conntrack_max': '0\n' }
    expect(await findingOn(conntrack, unlimited)).toMatchObject({ status: 'ok' })
  })

  test('is skipped in a container that hides it', async () => {
    const hidden = changed(GOOD, { '/proc/sys/net/netfilter/nf_conntrack_max': null })
    expect(await findingOn(conntrack, hidden)).toMatchObject({
      status: 'skipped',
      found:
        '/proc/sys/net/netfilter/nf_conntrack_max does not exist (connections are not tracked here, or this is a container: look on its host)',
    })
  })
})

describe('softirq', () => {
  test('judges the present while there is traffic, else the time since boot', async () => {
    const even = { ...GOOD, '/proc/softirqs': TEXT.SOFTIRQS(5_000_000, 5_000_000) }
    const meanwhile = { '/proc/softirqs': TEXT.SOFTIRQS(5_010_000, 5_000_100) }
    const { status, found } = await findingOn(softirq, even, { meanwhile })
    expect(status).toBe('warning')
    expect(found).toContain(
      '99 % of the receive interrupts during this check (10,100) on core 0 of 2',
    )
    expect(await findingOn(softirq, even)).toMatchObject({ status: 'ok' })
  })

  test('ignores little traffic', async () => {
    const little = { ...GOOD, '/proc/softirqs': TEXT.SOFTIRQS(900_000, 0) }
    expect(await findingOn(softirq, little)).toMatchObject({ status: 'ok' })
  })

  test('does not take loopback traffic for work of the network card', async () => {
    const packets = '/sys/class/net/eth0/statistics/rx_packets'
    const even = { ...GOOD, [packets]: '100\n' }
    const busy = { '/proc/softirqs': TEXT.SOFTIRQS(3_207_012, 2_832_206) }
    const itself = await findingOn(softirq, even, { meanwhile: { ...busy, [packets]: '105\n' } })
    expect(itself.status).toBe('ok')
    expect(itself.found).toEndWith('; most of it is traffic of this machine with itself')
    const others = { ...busy, [packets]: '10100\n' }
    expect((await findingOn(softirq, even, { meanwhile: others })).status).toBe('warning')
  })

  test('advises how to spread it, by the number of queues of the card', async () => {
    const one = changed(BAD, { '/sys/class/net/eth0/queues/rx-1/rps_cpus': null })
    const { found, advice } = await findingOn(softirq, one)
    expect(found).toEndWith('eth0 has 1 receive queue')
    expect(advice).toContain(
      'for q in /sys/class/net/eth0/queues/rx-*; do echo 3 > $q/rps_cpus; echo 32768 > $q/rps_flow_cnt; done  # or, if the card cannot, in software',
    )
    const both = await findingOn(softirq, BAD)
    expect(both.found).toEndWith('eth0 has 2 receive queues')
    expect(both.advice?.[0]).toStartWith('ethtool -N eth0 rx-flow-hash udp4 sdfn')
    expect(both.advice?.join()).not.toContain('rps_cpus')
  })

  test('writes the mask of cores in the form of /sys', () => {
    expect([1, 4, 32, 33, 64, 96].map(maskOf)).toEqual([
      ...['1', 'f', 'ffffffff', '1,ffffffff'],
      ...['ffffffff,ffffffff', 'ffffffff,ffffffff,ffffffff'],
    ])
  })
})

test('receive-backlog is a problem while packets are dropped', async () => {
  const meanwhile = { '/proc/net/softnet_stat': TEXT.SOFTNET('0000001f', '00000002') }
  expect(await findingOn(receiveBacklog, GOOD, { meanwhile })).toMatchObject({
    status: 'problem',
    found: expect.stringContaining('the kernel drops packets right now, 31 during this check'),
  })
})

describe('workers', () => {
  const config = (count: number) => `[[udp_trackers]]\n[runtime]\nworkers = ${count}\n`

  test('must not outnumber the cores', async () => {
    expect(await findingOn(workers, GOOD, { config: config(2) })).toMatchObject({ status: 'ok' })
    expect(await findingOn(workers, GOOD, { config: config(3) })).toMatchObject({
      status: 'warning',
      found: '3 threads for 2 cores: more threads than cores only wait for each other',
    })
  })

  test.each([
    { '/sys/fs/cgroup/system.slice/tracker.service/cpu.max': '150000 100000\n' },
    {
      '/proc/self/cgroup': '4:cpu,cpuacct:/docker/0815\n1:name=systemd:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpu/docker/0815/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/docker/0815/cpu.cfs_period_us': '100000\n',
    },
  ])('must fit the share of a container, version %#', async (group) => {
    const { status, found, advice } = await findingOn(workers, { ...GOOD, ...group })
    expect(status).toBe('warning')
    expect(found).toContain('may use no more than 1.5 of them')
    expect(advice?.[0]).toBe('runtime.workers = 1')
    const max = { '/sys/fs/cgroup/system.slice/tracker.service/cpu.max': 'max 100000\n' }
    expect(await findingOn(workers, { ...GOOD, ...max })).toMatchObject({ status: 'ok' })
  })

  test('are limited to one where ports cannot be shared', async () => {
    const setting = { facts: { platform: 'win32', cores: 8 }, config: config(4) }
    expect(await findingOn(workers, {}, setting)).toMatchObject({ status: 'warning' })
  })
})

describe('files', () => {
  const set = (count: number) => ({ ...GOOD, '/proc/self/limits': TEXT.LIMITS(`${count}`) })

  test.each([
    [2_047, 'problem'],
    [2_048, 'warning'],
    [65_535, 'warning'],
    [65_536, 'ok'],
  ])('HTTP with %d: %s', async (count, status) => {
    expect(await findingOn(files, set(count), { config: ONLY_HTTP })).toMatchObject({ status })
  })

  test('UDP alone needs few files', async () => {
    expect(await findingOn(files, set(1_024), { config: '[[udp_trackers]]\n' })).toMatchObject({
      status: 'ok',
    })
  })

  test('reports a whole machine that runs out of files', async () => {
    expect(await findingOn(files, BAD)).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('99,000 of the 100,000 files that the whole machine'),
    })
  })
})

describe('memory', () => {
  const config = (max: string) => `[[udp_trackers]]\n[runtime]\nmax_memory = "${max}"\n`
  const GROUP = '/sys/fs/cgroup/system.slice/tracker.service/memory.max'

  test('the default is half of the container, not of the machine', async () => {
    const files = { ...GOOD, [GROUP]: `${2 ** 30}\n` }
    const { status, found } = await findingOn(memory, files, { config: '[[udp_trackers]]\n' })
    expect(status).toBe('ok')
    expect(found).toStartWith('the swarm may take 512 MiB (half, runtime.max_memory is 0) of 1 GiB')
  })

  test.each([
    ['1GiB', 'problem'],
    ['512MiB', 'warning'],
    ['256MiB', 'ok'],
  ])('%s in a container of 512 MiB: %s', async (max, status) => {
    const files = { ...GOOD, [GROUP]: `${2 ** 29}\n` }
    expect(await findingOn(memory, files, { config: config(max) })).toMatchObject({ status })
  })

  test('is limited by the narrowest control group', async () => {
    const files = {
      ...GOOD,
      '/sys/fs/cgroup/memory.max': 'max\n',
      '/sys/fs/cgroup/system.slice/memory.max': `${2 ** 29}\n`,
      [GROUP]: `${2 ** 30}\n`,
    }
    const { found } = await findingOn(memory, files, { config: config('256MiB') })
    expect(found).toContain('of 512 MiB that the control group of this process allows')
  })

  test('that other programs use is not available', async () => {
    const taken = GOOD['/proc/meminfo']!.replace('24249408', '  249408')
    expect(await findingOn(memory, { ...GOOD, '/proc/meminfo': taken })).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('243.6 MiB are available now'),
    })
  })

  test('must fit into the address space of a process', async () => {
    const limits = TEXT.LIMITS('524288', '4294967296           4294967296')
    expect(await findingOn(memory, { ...GOOD, '/proc/self/limits': limits })).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('a process may reserve 4 GiB of address space only'),
    })
  })

  test('must fit into the commit limit without overcommitment', async () => {
    const strict = { ...GOOD, '/proc/sys/vm/overcommit_memory': '2\n' }
    expect(await findingOn(memory, strict, { config: config('11GiB') })).toMatchObject({
      status: 'ok',
    })
    expect(await findingOn(memory, strict, { config: config('12GiB') })).toMatchObject({
      status: 'problem',
      found: expect.stringContaining('vm.overcommit_memory is 2'),
    })
  })
})

test('a machine without swap is fine', async () => {
  const none = TEXT.MEMINFO.replaceAll('2097148', '0')
  expect(await findingOn(swap, { ...GOOD, '/proc/meminfo': none })).toMatchObject({
    status: 'ok',
    found: 'there is none',
  })
})
