/**
 * The network rules of docs/deploy.md, between two network namespaces that exist for one script: a server with a
 * firewall, and a client, joined by a virtual cable.
 */

import { describe, expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { configuration } from '../support/configuration.ts'
import { block, GUIDE } from '../support/deploy/guide.ts'
import { compiled } from '../support/e2e/program.ts'
import { runProgram } from '../support/run-program.ts'

/** Runs a script in its own process, network and mount namespaces, which end with it; its output in lines. */
async function onServer(script: string, env: Record<string, string> = {}) {
  const namespaces = ['--net', '--pid', '--fork', '--mount-proc', '--kill-child=KILL']
  const { code, out, err } = await runProgram(
    ['unshare', ...namespaces, 'bash', '-euo', 'pipefail', '-c', script],
    { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env } },
  )
  if (code !== 0) throw new Error(`the script failed: ${out}${err}`)
  return out.trimEnd().split('\n')
}

/** The first line read means that the client has left the server's network. */
const CABLE = `
ip link set lo up
exec 3< <(exec unshare --net sh -c 'echo there; exec sleep infinity')
client=$!
read -r -u 3
on_client() { nsenter --target $client --net "$@"; }
ip link add eth0 type veth peer name eth0 netns $client
`
const hasNetwork =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  ['nft', 'iptables', 'conntrack', 'ip', 'nsenter'].every((name) => Bun.which(name)) &&
  (await onServer(`${CABLE}\nnft list ruleset\nconntrack --count`).then(
    () => true,
    () => false,
  ))

const FIREWALL = `
table inet firewall {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    udp dport 6969 accept
  }
}
`
const HASH = '9c38422213e30bff212b30c360d26f9a02136422'
const IPTABLES = Array.from(GUIDE.matchAll(/`(iptables -t raw [^`]+)`/g), ([, rule]) => rule!)

describe.skipIf(!hasNetwork)('on a server with a firewall', () => {
  const program = compiled()

  /** Entries in the connection table after one client of each family. */
  async function entries(rules: string): Promise<number> {
    const toml = configuration({
      rest: `
[[udp_trackers]]
bind_address = "[::]:6969"
[health_check_api]
bind_address = "127.0.0.1:1313"
`,
    })
    const out = await onServer(
      `${CABLE}
      ip address add 10.99.0.1/24 dev eth0
      ip address add fd99::1/64 dev eth0 nodad
      ip link set eth0 up
      on_client ip address add 10.99.0.2/24 dev eth0
      on_client ip address add fd99::2/64 dev eth0 nodad
      on_client ip link set eth0 up
      nft -f - <<< "$FIREWALL"
      ${rules}
      cd /
      "$PROGRAM" > /dev/null &
      until "$PROGRAM" health > /dev/null 2>&1; do sleep 0.1; done
      # The health report has left entries, too.
      conntrack --flush 2> /dev/null
      for host in 10.99.0.1 '[fd99::1]'; do
        on_client "$PROGRAM" client announce "udp://$host:6969" ${HASH} > /dev/null
      done
      for family in ipv4 ipv6; do
        conntrack --dump --family "$family" --proto udp 2> /dev/null
      done
      echo done`,
      { PROGRAM: program()[0]!, FIREWALL, TORRUST_TRACKER_CONFIG_TOML: toml },
    )
    expect(out.at(-1)).toBe('done')
    return out.length - 1
  }

  test('clients fill the connection table', async () => {
    expect(await entries('')).toBe(2)
  })

  test('they do not with the rules of the guide, and are still answered', async () => {
    expect(await entries(`nft -f - <<'RULES'\n${block('nft', 'notrack')}RULES`)).toBe(0)
  })

  test('they do not with the rules for iptables', async () => {
    expect(IPTABLES).toHaveLength(2)
    const both = IPTABLES.flatMap((rule) => [rule, rule.replace('iptables', 'ip6tables')])
    expect(await entries(both.join('\n'))).toBe(0)
  })

  test('packets are steered to all cores', async () => {
    const line = /^ExecStartPre=-\+\/bin\/sh -c '(.*)'$/m.exec(block('ini', 'rps_cpus'))![1]!
    const mask = (2 ** Math.min(availableParallelism(), 4) - 1).toString(16)
    const command = line.replaceAll('$$', '$').replace('echo f ', `echo ${mask} `)
    const out = await onServer(`${CABLE}
      mount -t sysfs sysfs /sys
      ${command}
      cat /sys/class/net/eth0/queues/rx-0/rps_cpus`)
    expect(Number.parseInt(out.at(-1)!, 16)).toBe(Number.parseInt(mask, 16))
  })
})
