/**
 * No answer of the tracker is ever answered: two trackers whose addresses are forged would otherwise keep
 * each other busy for ever with one datagram.
 */
import { expect, test } from 'bun:test'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { startTracker } from '../support/started-tracker.ts'
import {
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  scrapePacket,
  transactionOf,
  udpSocket,
} from '../support/udp-client.ts'

const tracker = (core: string) =>
  startTracker({
    core,
    rest: `[[udp_trackers]]
bind_address = "[::]:0"
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[udp_tracker_server]
max_connection_id_errors_per_ip = 1000
[health_check_api]
bind_address = "127.0.0.1:0"
`,
  })
const intervals = (seconds: number) =>
  `[core.announce_policy]\ninterval = ${seconds}\ninterval_min = ${seconds}\n`

const HOSTS = { 4: '127.0.0.1', 6: '::1' } as const

/** Every kind of answer, as the client of `host` gets it for that transaction id. */
async function answersOf(port: number, host: string, transaction: number): Promise<Uint8Array[]> {
  using client = await connected(port, host)
  const wrong = client.id ^ 1n
  for (let peer = 1; peer <= 20; peer++)
    await client.ask(announcePacket(client.id, { port: peer, left: BigInt(peer % 2) }))
  const questions = [
    connectPacket(transaction),
    announcePacket(client.id, { transaction, infoHash: hashOf(200) }),
    announcePacket(client.id, { transaction, left: 1n, want: 3 }),
    announcePacket(client.id, { transaction, left: 1n }),
    scrapePacket(client.id, [hashOf(1)], transaction),
    scrapePacket(client.id, Array(74).fill(hashOf(1)), transaction),
    announcePacket(wrong, { transaction }),
    scrapePacket(wrong, [hashOf(1), hashOf(1)], transaction),
    announcePacket(client.id, { transaction, port: 0 }),
    announcePacket(client.id, { transaction, event: 9 }),
    ...[97, 60, 43].map((length) => announcePacket(client.id, { transaction }).subarray(0, length)),
    scrapePacket(client.id, [hashOf(1), hashOf(1)], transaction).subarray(0, 51),
    announcePacket(client.id, { transaction }).fill(0, 8, 12),
    announcePacket(client.id, { transaction }).fill(7, 8, 12),
    new Uint8Array(1496).fill(0xff),
  ]
  const answers: Uint8Array[] = []
  for (const question of questions) answers.push(await client.ask(question))
  return answers
}

for (const family of [4, 6] as const)
  overBothPaths(`over IPv${family}`, () => {
    const host = HOSTS[family]

    // As the action of a question an interval of 1 is an announce, one of 2 a scrape.
    test.each([1, 2, 3, 120, 1800])(
      'U12: no answer is answered when it comes back as a question (interval %d)',
      async (interval) => {
        await using ours = await tracker(intervals(interval))
        const ports = family === 4 ? ours.ports.udp : ours.ports.udp.slice(0, 1)
        for (const transaction of [0, 1, 2, 3, 0x417, 0x2710_1980, 0xffff_ffff]) {
          const answers = await answersOf(ours.ports.udp[0]!, host, transaction)
          for (const port of ports) {
            using other = await udpSocket(port, host)
            for (const answer of answers) other.send(answer)
            // Two answers in one, padded: what an answer begins with is all that matters.
            for (const answer of answers)
              if (answer[3] !== 0) other.send(Buffer.concat([answer, new Uint8Array(1400)]))
            other.send(connectPacket(0x77))
            expect(transactionOf(await other.receive())).toBe(0x77)
          }
        }
      },
    )
  })
