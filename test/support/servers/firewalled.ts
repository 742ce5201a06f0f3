/**
 * A program for udp-faults.test.ts, in a network of its own: a server whose answers to one of its two clients are stopped
 * by a firewall. Prints what either was told and what was counted.
 */
import { connectPacket, transactionOf, udpSocket } from '../udp-client.ts'
import { serveUdpAlone } from './served-udp.ts'

const ROUNDS = 10

function run(...command: string[]): void {
  const { success, stderr } = Bun.spawnSync(command)
  if (!success) throw new Error(`${command.join(' ')}: ${stderr}`)
}

run('ip', 'link', 'set', 'lo', 'up')
const server = await serveUdpAlone(process.argv[2] === 'true', { ip: '0.0.0.0' })
run('nft', 'add table inet firewall')
run('nft', 'add chain inet firewall out { type filter hook output priority filter; }')
run('nft', `add rule inet firewall out udp sport ${server.port} ip daddr 127.0.0.2 drop`)

using open = await udpSocket(server.port)
using closed = await udpSocket(server.port, '127.0.0.1', '127.0.0.2')
for (let round = 0; round < ROUNDS; round++) {
  // In one batch, the stopped ones first, in the middle and last.
  for (const client of [closed, open, open, closed]) client.send(connectPacket(round))
  for (let i = 0; i < 2; i++)
    if (transactionOf(await open.receive()) !== round) throw new Error('a wrong answer')
}
const received = await new Promise<number>((resolve) => {
  const look = () => {
    const count = server.count('unsent')
    if (count >= ROUNDS * 2) resolve(server.count('responses') - count)
    else setImmediate(look)
  }
  look()
})
const counts = { unsent: server.count('unsent'), socketErrors: server.count('socketErrors') }
console.log(JSON.stringify({ open: received, closed: closed.unread().length, ...counts }))
process.exit(0)
