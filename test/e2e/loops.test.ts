/**
 * One datagram with another tracker's source address starts no loop between the two, in either direction and with any
 * content (docs/behaviours.md U12; the pattern of CVE-2024-2169).
 */
import { expect, test } from 'bun:test'
import { OPPONENTS } from '../support/e2e/opponents.ts'
import { CAN_FORGE, forge } from '../support/raw-udp.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { startTracker } from '../support/started-tracker.ts'
import {
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  scrapePacket,
} from '../support/udp-client.ts'

const HERE = '127.0.0.1'
const OURS = `[[udp_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
[health_check_api]
bind_address = "127.0.0.1:0"
[http_api]
bind_address = "127.0.0.1:0"
[http_api.access_tokens]
admin = "secret"
`
/** Requests of every kind, valid and malformed, and noise. */
const DATAGRAMS = [
  connectPacket(),
  announcePacket(0x0417_2710_1980n),
  announcePacket(77n),
  scrapePacket(77n, Array(20).fill(hashOf(1))),
  ...[16, 35, 36, 40, 98, 100, 1400].flatMap((length) =>
    [0, 1, 2, 3, 4, 0xff].map((fill) => {
      const datagram = new Uint8Array(length).fill(fill)
      // The action is in the first word of an answer, in the third of a request.
      if (fill < 5) datagram.fill(0, 0, 3).fill(0, 8, 11)
      return datagram
    }),
  ),
]

overBothPaths('a forged datagram', () => {
  for (const { name, available, start } of OPPONENTS)
    test.skipIf(!CAN_FORGE || !available)(
      `between this tracker and ${name} starts no loop`,
      async () => {
        await using ours = await startTracker({ rest: OURS })
        await using other = await start([hashOf(1)])
        const [here, there] = [ours.ports.udp[0]!, Number(new URL(other.udp).port)]
        const received = async () => {
          const stats = await fetch(`http://${HERE}:${ours.apiPort}/api/v1/stats?token=secret`)
          return ((await stats.json()) as Record<string, number>).udp4_requests!
        }
        const places = [
          { ip: HERE, port: here },
          { ip: HERE, port: there },
        ] as const
        for (const datagram of DATAGRAMS) {
          forge(places[0], places[1], datagram)
          forge(places[1], places[0], datagram)
        }
        const asked = 200
        for (let time = 0; time < asked / 2; time++) {
          using client = await connected(here)
          await client.scrape(hashOf(1))
          using neighbour = await connected(there)
          await neighbour.scrape(hashOf(1))
        }
        // Each datagram arrives once, and at most one answer of the other tracker to its forged twin.
        const most = DATAGRAMS.length * 2 + asked
        expect(await received()).toBeWithin(DATAGRAMS.length + asked, most + 1)
        const before = await received()
        for (let time = 0; time < 20; time++) (await connected(here))[Symbol.dispose]()
        expect(await received()).toBe(before + 20)
      },
    )
})
