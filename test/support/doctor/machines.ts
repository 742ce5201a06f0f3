/**
 * Made-up machines: a directory with the files that Linux shows in /proc. The texts were captured on real machines;
 * only numbers were changed.
 */
import type { HealthAnswer } from '../../../src/client/health-report.ts'
import type { Config } from '../../../src/config/model.ts'
import { type Check, type Context, type Finding, runChecks } from '../../../src/doctor/finding.ts'
import { type Facts, Machine } from '../../../src/doctor/machine.ts'
import { loaded, loadToml, MINIMAL_3 } from '../config/loading.ts'
import { type Files, temporaryDirectory } from '../temporary-directory.ts'

/** 2026-03-01 12:00:00 UTC */
export const NOW = 1_772_366_400

const LIMITS = (files: string) =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 ${files.padEnd(20)} files     
Max address space         unlimited            unlimited            bytes     
`

const UDP = (drops: number) =>
  `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
 4913: 00000000:1B39 00000000:0000 07 00000000:00034000 00:00000000 00000000   997        0 18977 2 0000000064c0bd71 ${drops}         
14703: 0100007F:4249 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18978 2 0000000064c0bd72 7         
`

const CONNTRACK = (drop: string, earlyDrop = '00000000') =>
  `entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
0000f3a1  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 ${drop} ${earlyDrop} 00000000  00000000 00000000 00000000 00000000
0000f3a1  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000000  00000000 00000000 00000000 00000000
`

/** The texts of files by what tests change. */
export const TEXT = { LIMITS, UDP, CONNTRACK }

/** All settings as they should be. */
export const GOOD: Files = {
  '/proc/sys/net/core/rmem_max': '8388608\n',
  '/proc/net/udp': UDP(0),
  '/proc/net/udp6': '',
  '/proc/sys/net/netfilter/nf_conntrack_max': '262144\n',
  '/proc/sys/net/netfilter/nf_conntrack_count': '1200\n',
  '/proc/self/limits': LIMITS('524288'),
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

const FACTS: Facts = { memory: 4 * 2 ** 30, clockIsKept: true }

/** A tracker of this configuration that runs, and what its report says beside `status` Ok. */
export const running =
  (report: Partial<HealthAnswer>, isOurs = true): Context['tracker'] =>
  async () => {
    const answer = { remote: '127.0.0.1:1', httpStatus: 200, statusLine: '200 OK', status: 'Ok' }
    const rest = { services: [], problem: undefined, degraded: undefined, memory: undefined }
    return {
      url: 'http://127.0.0.1:1/health_check',
      isOurs,
      answer: { ...answer, ...rest, ...report },
    }
  }

export type Setting = {
  readonly config?: string
  readonly facts?: Partial<Facts>
  readonly clock?: number
  readonly context?: Partial<Context>
}

/** What the checks find on a machine with these files. */
export async function findingsOn(
  checks: readonly Check[],
  files: Files,
  { config = CONFIG, facts, clock = NOW, context = {} }: Setting = {},
): Promise<readonly Finding[]> {
  using machine = temporaryDirectory(files)
  return await runChecks(Object.fromEntries(checks.map((check) => [check.name, check])), {
    config: configOf(config),
    machine: new Machine(machine.path, { ...FACTS, ...facts }),
    cwd: machine.path,
    clock: { seconds: () => clock, milliseconds: () => clock * 1000 },
    milliseconds: 60_000,
    tracker: async () => ({ url: 'http://127.0.0.1:1/health_check', isOurs: false }),
    ...context,
  })
}

/** The only finding of one check. */
export async function findingOn(check: Check, files: Files, setting?: Setting): Promise<Finding> {
  const findings = await findingsOn([check], files, setting)
  if (findings.length !== 1) throw new Error(`expected one finding: ${JSON.stringify(findings)}`)
  return findings[0]!
}
