/**
 * Made-up machines: a directory with the files that Linux shows in /proc and /sys. The texts were captured on real
 * machines; only numbers were changed.
 */
import type { Config } from '../../../src/config/model.ts'
import { type Check, type Context, type Finding, runChecks } from '../../../src/doctor/finding.ts'
import { type Facts, Machine } from '../../../src/doctor/machine.ts'
import { loaded, loadToml, MINIMAL_3 } from '../config/loading.ts'
import { type Files, temporaryDirectory } from '../temporary-directory.ts'

/** 2026-03-01 12:00:00 UTC */
export const NOW = 1_772_366_400

const LIMITS = (files: string, space = 'unlimited            unlimited') =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            ${files.padEnd(20)} ${files.padEnd(20)} files     
Max address space         ${space}            bytes     
`

const MEMINFO = `MemTotal:       24684084 kB
MemFree:        23896684 kB
MemAvailable:   24249408 kB
SwapTotal:       2097148 kB
SwapFree:        2097148 kB
CommitLimit:    12342040 kB
Committed_AS:      92672 kB
`

const SNMP = (received: number, lost: number) =>
  `Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 5024778
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: ${received} 225 ${lost} 5017614 ${lost} 0 0 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
`

const SNMP6 = `Ip6InReceives                   	538
Udp6InDatagrams                 	166
Udp6RcvbufErrors                	0
`

const UDP = (drops: number, waiting = '00000000') =>
  `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
 4913: 00000000:1B39 00000000:0000 07 00000000:${waiting} 00:00000000 00000000   997        0 18977 2 0000000064c0bd71 ${drops}         
14703: 0100007F:4249 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18978 2 0000000064c0bd72 7         
`

const CONNTRACK = (drop: string, earlyDrop = '00000000') =>
  `entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
0000f3a1  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 ${drop} ${earlyDrop} 00000000  00000000 00000000 00000000 00000000
0000f3a1  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
`

const SOFTIRQS = (first: number, second: number) => `                    CPU0       CPU1       
          HI:          0          0
       TIMER:      16058      11901
      NET_TX:          6          2
      NET_RX:    ${first}    ${second}
       BLOCK:          0     108771
`

const SOFTNET = (dropped: string, squeezed: string) =>
  `00bc614e ${dropped} ${squeezed} 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
001bf535 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000
`

const IF_INET6 = `20010db8000000000000000000000002 02 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
`

const ROUTE = (gateway: string) =>
  `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT                                                       
eth0	00000000	${gateway}	0003	0	0	0	00000000	0	0	0                                                                               
`

/** The texts of files: constants, and functions of what tests change. */
export const TEXT = { LIMITS, SNMP, UDP, CONNTRACK, SOFTIRQS, SOFTNET, ROUTE, MEMINFO }

/** Two cores, a network card with a queue for each, all settings as they should be. */
export const GOOD: Files = {
  '/proc/sys/net/core/rmem_max': '8388608\n',
  '/proc/sys/net/core/rmem_default': '212992\n',
  '/proc/net/snmp': SNMP(6_391_426, 44),
  '/proc/net/snmp6': SNMP6,
  '/proc/net/udp': UDP(0),
  '/proc/net/udp6': '',
  '/proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
  '/proc/sys/net/netfilter/nf_conntrack_count': '1200\n',
  '/proc/sys/net/netfilter/nf_conntrack_udp_timeout': '30\n',
  '/proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream': '120\n',
  '/proc/net/stat/nf_conntrack': CONNTRACK('00000000'),
  '/proc/softirqs': SOFTIRQS(3_197_012, 2_832_106),
  '/proc/net/softnet_stat': SOFTNET('00000000', '00000002'),
  '/sys/class/net/eth0/device/vendor': '0x1af4\n',
  '/sys/class/net/eth0/queues/rx-0/rps_cpus': '0\n',
  '/sys/class/net/eth0/queues/rx-1/rps_cpus': '0\n',
  '/sys/class/net/lo/queues/rx-0/rps_cpus': '0\n',
  '/proc/self/limits': LIMITS('524288'),
  '/proc/self/cgroup': '0::/system.slice/tracker.service\n',
  '/proc/sys/fs/file-nr': '641	0	2466170\n',
  '/proc/meminfo': MEMINFO,
  '/proc/sys/vm/overcommit_memory': '0\n',
  '/proc/sys/vm/swappiness': '60\n',
  '/proc/net/if_inet6': IF_INET6,
  '/proc/sys/net/ipv6/conf/all/disable_ipv6': '0\n',
  '/run/systemd/timesync/synchronized': '',
  '/proc/1/cgroup': '0::/init.scope\n',
  '/proc/1/comm': 'systemd\n',
  '/proc/net/route': ROUTE('010200C0'),
}

/** The same machine with all mistakes that can be made at once. */
export const BAD: Files = {
  ...GOOD,
  '/proc/sys/net/core/rmem_max': '212992\n',
  '/proc/net/snmp': SNMP(1_000_000, 20_000),
  '/proc/net/udp': UDP(19_874, '00034000'),
  '/proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
  '/proc/sys/net/netfilter/nf_conntrack_count': '65530\n',
  '/proc/net/stat/nf_conntrack': CONNTRACK('000000ff', '00000001'),
  '/proc/softirqs': SOFTIRQS(9_900_000, 100_000),
  '/proc/net/softnet_stat': SOFTNET('00000010', '00bc6000'),
  '/proc/self/limits': LIMITS('1024'),
  '/proc/sys/fs/file-nr': '99000	0	100000\n',
  '/proc/meminfo': MEMINFO.replace('SwapFree:        2097148', 'SwapFree:         104857'),
  '/sys/fs/cgroup/system.slice/tracker.service/memory.max': '268435456\n',
  '/sys/fs/cgroup/system.slice/cpu.max': '50000 100000\n',
  '/proc/sys/net/ipv6/conf/all/disable_ipv6': '1\n',
}

/** The smallest configuration that loads, followed by `toml`. */
export const configOf = (toml: string): Config => loaded(loadToml(`${MINIMAL_3}\n${toml}`)).config

/** Listeners on the usual ports, and a swarm of 2 GiB. */
export const CONFIG = `
[[udp_trackers]]
bind_address = "[::]:6969"
[[http_trackers]]
bind_address = "0.0.0.0:7070"
[runtime]
max_memory = "2GiB"
`

const LINUX: Facts = { platform: 'linux', cores: 2, user: 1000 }

export type Setting = {
  readonly config?: string
  readonly facts?: Partial<Facts>
  readonly clock?: number
  /** Written into the machine while its counters are watched. */
  readonly meanwhile?: Files
  readonly context?: Partial<Context>
}

/** What the checks find on a machine with these files. */
export async function findingsOn(
  checks: readonly Check[],
  files: Files,
  { config = CONFIG, facts, clock = NOW, meanwhile = {}, context = {} }: Setting = {},
): Promise<readonly Finding[]> {
  using machine = temporaryDirectory(files)
  const [group] = await runChecks([{ title: '', checks }], {
    config: configOf(config),
    machine: new Machine(machine.path, { ...LINUX, ...facts }),
    cwd: machine.path,
    clock: { seconds: () => clock, milliseconds: () => clock * 1000 },
    milliseconds: 60_000,
    watch: async () => machine.write(meanwhile),
    tracker: async () => ({ url: 'http://127.0.0.1:1/health_check' }),
    ...context,
  })
  return group!.findings
}

/** The only finding of one check. */
export async function findingOn(check: Check, files: Files, setting?: Setting): Promise<Finding> {
  const findings = await findingsOn([check], files, setting)
  if (findings.length !== 1) throw new Error(`expected one finding: ${JSON.stringify(findings)}`)
  return findings[0]!
}

/** `files` with some replaced, or removed (`null`). */
export function changed(files: Files, changes: Readonly<Record<string, string | null>>): Files {
  const all = Object.entries({ ...files, ...changes })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}
