/** The connections of this very process, found, ended and kept away by the kernel. */
import { afterAll, beforeAll, describe, expect, spyOn, test } from 'bun:test'
import * as files from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { printClient, TcpSockets } from '../../src/servers/tcp-sockets.ts'
import { until } from '../support/until.ts'

function listen(hostname: string) {
  let greetings = 0
  const server = Bun.listen({
    hostname,
    port: 0,
    socket: {
      open: (socket) => {
        greetings++
        socket.write('hello')
      },
      data() {},
    },
  })
  return {
    port: server.port,
    /** Connections that Bun accepted. */
    greeted: () => greetings,
    [Symbol.dispose]: () => server.stop(true),
  }
}

/** A client's connection from that address: whether it is greeted, whether it was ended. */
function client(port: number, host: string, from = host) {
  const seen = { isGreeted: false, isEnded: false }
  const socket: Socket = connect({ host, port, localAddress: from })
  socket.on('data', () => {
    seen.isGreeted = true
  })
  socket.on('close', () => {
    seen.isEnded = true
  })
  socket.on('error', () => {})
  return {
    seen,
    socket,
    greeted: () => until('a greeting', () => seen.isGreeted),
    ended: () => until('the end', () => seen.isEnded),
    [Symbol.dispose]: () => socket.destroy(),
  }
}

describe.skipIf(process.platform !== 'linux')('the sockets of a process', () => {
  let sockets: TcpSockets
  beforeAll(() => {
    sockets = TcpSockets.open()!
  })
  afterAll(() => sockets[Symbol.dispose]())

  test.each([
    ['127.0.0.1', '127.0.0.1', '127.0.0.5', '7f000005', '127.0.0.5'],
    ['::', '127.0.0.1', '127.0.0.5', '7f000005', '127.0.0.5'],
    ['::', '::1', '::1', '0000000000000000', '::/64'],
  ])('on %s show who came from %s', async (hostname, host, from, hex, text) => {
    using server = listen(hostname)
    using there = client(server.port, host, from)
    await there.greeted()
    const { used, connections, listeners } = await sockets.look(new Set([server.port]))
    expect(connections.map(({ client, port }) => [client, port])).toEqual([[hex, server.port]])
    expect(printClient(connections[0]!.client)).toBe(text)
    expect(listeners.map(({ port }) => port)).toEqual([server.port])
    expect(used).toBeGreaterThan(5)
    expect(sockets.lowestFree()).toBeGreaterThan(0)
    // The other end of the same connection, which is in this process too, came to no port of ours.
    const other = await sockets.look(new Set([there.socket.localPort!]))
    expect(other.connections).toHaveLength(1)
    expect((await sockets.look(new Set([1]))).connections).toEqual([])
  })

  test('are closed by Bun once they are ended, and no others', async () => {
    using server = listen('127.0.0.1')
    using first = client(server.port, '127.0.0.1', '127.0.0.2')
    using second = client(server.port, '127.0.0.1', '127.0.0.3')
    await Promise.all([first.greeted(), second.greeted()])
    const ports = new Set([server.port])
    const { connections } = await sockets.look(ports)
    const one = connections.find(({ client }) => client === '7f000002')!
    // A descriptor that is another connection by now is left alone.
    expect(sockets.end({ ...one, peer: connections.find((other) => other !== one)!.peer })).toBe(
      false,
    )
    expect(sockets.end({ ...one, fd: 1 << 20 })).toBe(false)
    expect(sockets.end(one)).toBe(true)
    await first.ended()
    await until(
      'one connection to be left',
      async () => (await sockets.look(ports)).connections.length === 1,
    )
    expect(second.seen.isEnded).toBe(false)
  })

  test('accept nothing from a blocked client until it is unblocked', async () => {
    using server = listen('127.0.0.1')
    using before = client(server.port, '127.0.0.1', '127.0.0.2')
    await before.greeted()
    const [listener] = (await sockets.look(new Set([server.port]))).listeners
    sockets.block(listener!.fd, ['7f000002'])
    using blocked = client(server.port, '127.0.0.1', '127.0.0.2')
    using other = client(server.port, '127.0.0.1', '127.0.0.3')
    await other.greeted()
    expect([server.greeted(), blocked.seen.isGreeted, before.seen.isEnded]).toEqual([
      2,
      false,
      false,
    ])
    // More clients than the filter holds: no connection is accepted.
    sockets.block(
      listener!.fd,
      Array.from({ length: 100 }, () => '7f000002'),
    )
    using third = client(server.port, '127.0.0.1', '127.0.0.4')
    sockets.block(listener!.fd, [])
    await Promise.all([blocked.greeted(), third.greeted()])
    // A connection that came while others were blocked stays.
    other.socket.write('x')
    expect(other.seen.isEnded).toBe(false)
  })

  test.each(['EMFILE', 'ENFILE', 'ENOMEM'])('that cannot be listed (%s)', async (code) => {
    const error = Object.assign(new Error(code), { code })
    using _readdir = spyOn(files, 'readdir').mockRejectedValue(error)
    // Only the first says that all are taken.
    const used = code === 'EMFILE' ? sockets.limit : 0
    expect((await sockets.look(new Set())).used).toBe(used)
  })

  test('leave no descriptor behind', async () => {
    const before = sockets.lowestFree()
    for (let i = 0; i < 100; i++) TcpSockets.open()![Symbol.dispose]()
    await sockets.look(new Set([1]))
    expect(sockets.lowestFree()).toBe(before)
  })
})

test.skipIf(process.platform !== 'linux')(
  'a UDP socket is no connection, whatever its port',
  async () => {
    using sockets = TcpSockets.open()!
    const udp = await Bun.udpSocket({ hostname: '127.0.0.1' })
    const peer = await Bun.udpSocket({ connect: { hostname: '127.0.0.1', port: udp.port } })
    expect((await sockets.look(new Set([peer.port]))).connections).toEqual([])
    for (const each of [udp, peer]) each.close()
  },
)
