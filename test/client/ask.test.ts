/** Any tracker by its URL: names, families, many hashes. */
import { expect, test } from 'bun:test'
import { announce, askInTurn, scrape } from '../../src/client/ask.ts'
import { ClientFailure, type FailureKind } from '../../src/client/failure.ts'
import { resolve } from '../../src/client/resolve.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { actionOf, answerTo, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { question, urlOf } from '../support/client/question.ts'

const OPTIONS = { milliseconds: 60_000 }
const hashes = Array.from({ length: 160 }, (_, i) => new Uint8Array(20).fill(i + 1))
const hex = (hash: Uint8Array) => hash.toHex()

const fake = (hostname: string, sizes: number[] = []) =>
  fakeUdpTracker(hostname, (request, answer) => {
    const action = actionOf(request)
    if (action === 0) answer(answerTo(request, 0, 7, 8))
    if (action === 1) answer(answerTo(request, 1, 1800, 2, 3))
    if (action !== 2) return
    const count = (request.byteLength - 16) / 20
    sizes.push(count)
    // All three figures of a torrent are the first byte of its hash.
    const entries = Array.from({ length: count }, (_, i) => request.getUint8(16 + i * 20))
    answer(answerTo(request, 2, ...entries.flatMap((n) => [n, n, n])))
  })

test('a host name leads to a UDP tracker', async () => {
  using tracker = await fake('127.0.0.1')
  const answer = await announce(urlOf(`udp://localhost:${tracker.port}`), question, OPTIONS)
  expect([answer.seeders, answer.family]).toEqual([3, 4])
})

test('an answer names the family of its connection, over UDP and HTTP', async () => {
  using tracker = await fake('::1')
  expect(await announce(urlOf(`udp://[::1]:${tracker.port}`), question, OPTIONS)).toMatchObject({
    seeders: 3,
    family: 6,
  })
  using server = await fakeHttpServer((_request, socket) =>
    socket.write(respond('d8:intervali5e5:peers0:e')),
  )
  const url = urlOf(`http://127.0.0.1:${server.port}`)
  expect(await announce(url, question, OPTIONS)).toMatchObject({ interval: 5, family: 4 })
})

test('a scrape of many hashes takes as many datagrams as it needs', async () => {
  const sizes: number[] = []
  using tracker = await fake('::1', sizes)
  const answer = await scrape(urlOf(`udp://[::1]:${tracker.port}`), hashes, OPTIONS)
  expect(sizes).toEqual([74, 74, 12])
  expect([...answer.entries]).toEqual(
    hashes.map((hash, i) => [hex(hash), { seeders: i + 1, downloaded: i + 1, leechers: i + 1 }]),
  )
  expect([answer.family, typeof answer.transaction]).toEqual([6, 'number'])
})

test('over HTTP it takes as many requests, and a tracker may leave out some hashes', async () => {
  using server = await fakeHttpServer((request, socket) => {
    const first = /info_hash=((?:%..|.)*?)[& ]/.exec(request)![1]!
    const raw = decodeURIComponentBytes(first)
    socket.write(Buffer.from(respond(`d5:filesd20:${raw}d8:completei9eeee`), 'latin1'))
  })
  const url = urlOf(`http://127.0.0.1:${server.port}/announce`)
  const { entries, family } = await scrape(url, hashes, OPTIONS)
  expect(server.requests).toHaveLength(4)
  expect([...entries.keys()]).toEqual([0, 50, 100, 150].map((i) => hex(hashes[i]!)))
  expect(family).toBe(4)
})

const decodeURIComponentBytes = (text: string) =>
  text.replace(/%(..)/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)))

test('an address has one family, and a name those that it has', async () => {
  expect(await resolve('::FFFF:192.0.2.1', OPTIONS)).toEqual([{ ip: '192.0.2.1', family: 4 }])
  expect(await resolve('2001:DB8::1', OPTIONS)).toEqual([{ ip: '2001:db8::1', family: 6 }])
  expect(await resolve('localhost', { ...OPTIONS, family: 4 })).toEqual([
    { ip: '127.0.0.1', family: 4 },
  ])
  for (const [host, family, message] of [
    ['127.0.0.1', 6, '127.0.0.1 is not an IPv6 address'],
    ['::1', 4, '::1 is not an IPv4 address'],
    ['no-such-host.invalid', undefined, 'no such host: no-such-host.invalid'],
  ] as const) {
    const error = await resolve(host, { ...OPTIONS, family }).catch((reason) => reason)
    expect(error).toBeInstanceOf(ClientFailure)
    expect([error.kind, error.message]).toEqual(['resolve', message])
  }
})

test.each<[FailureKind, FailureKind, string]>([
  ['connect', 'garbage', 'garbage: 6; 4'],
  ['garbage', 'connect', 'garbage: 6; 4'],
  ['timeout', 'timeout', 'timeout: 6; 4'],
  // The tracker itself answered, which another address would repeat.
  ['refusal', 'connect', 'refusal: 6'],
  ['status', 'connect', 'status: 6'],
])('of addresses that fail by %s and %s the failure is %s', async (six, four, failure) => {
  const addresses = [
    { ip: '::1', family: 6 },
    { ip: '127.0.0.1', family: 4 },
  ] as const
  const asking = askInTurn(addresses, ({ family }, left) => {
    expect(left).toBe(family === 6 ? 2 : 1)
    return Promise.reject(new ClientFailure(family === 6 ? six : four, `${family}`))
  })
  expect(await asking.catch(({ kind, message }) => `${kind}: ${message}`)).toBe(failure)
})
