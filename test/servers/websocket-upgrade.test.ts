/** Who may open a WebSocket, with which key, and what everything else on the port is answered. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { addHash, addKey, keyText, keyWords } from '../support/access/entries.ts'
import { certify } from '../support/certificate.ts'
import { NOW_MILLISECONDS } from '../support/servers/served-http.ts'
import { serveWeb } from '../support/servers/served-websockets.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import {
  announce,
  answerTo,
  id,
  type Message,
  offers,
  type Speaker,
  scrape,
} from '../support/webtorrent/speaker.ts'

const SEED = Int32Array.of(1, 2, 3, 4)

function accessOf(what: { listed?: boolean; private?: boolean }): Access {
  const rules = { listed: false, private: false, checksExpiration: true, seed: SEED, ...what }
  return new Access(createAccessMemory(rules)!, true)
}

/** The words of an info hash of tests. */
const hash = (text: string) =>
  new Int32Array(new Uint8Array(Buffer.from(id(text), 'latin1')).buffer)
const why = (message: Message): string => message['failure reason']

describe('access', () => {
  test('W44: what is not listed is refused in the words of the reference; a scrape shows zeros', async () => {
    const access = accessOf({ listed: true })
    addHash(access.whitelist!, hash('listed'))
    await using served = await serveWeb({ access })
    using peer = await served.join()
    const infoHash = Buffer.from(id('other'), 'latin1').toString('hex')
    expect(await peer.ask(announce('other', 'peer', { left: 1 }))).toEqual({
      action: 'announce',
      info_hash: id('other'),
      'failure reason': `Tracker error: The torrent: ${infoHash}, is not whitelisted`,
    })
    expect(await peer.ask(announce('listed', 'peer', { left: 1 }))).toMatchObject({ incomplete: 1 })
    const { files } = await peer.ask(scrape('other'))
    expect(files[id('other')]).toEqual({ complete: 0, incomplete: 0, downloaded: 0 })
    expect(served.count('errors')).toBe(1)
  })

  const [good, unknown, expired] = [keyText(1), keyText(2), keyText(3)]
  function privateTracker() {
    const access = accessOf({ private: true })
    addKey(access.keys!, keyWords(1), Infinity)
    addKey(access.keys!, keyWords(3), NOW_MILLISECONDS - 1)
    return access
  }
  for (const [path, words] of [
    ['/announce', 'Missing authentication key param for private tracker'],
    ['/', 'Missing authentication key param for private tracker'],
    ['/announce/short', 'Invalid format for authentication key param'],
    ['/short/announce', 'Invalid format for authentication key param'],
    [`/announce/${unknown}`, 'Failed to read key'],
    [`/announce/${expired}`, 'Key has expired'],
    [`/announce?key=${unknown}`, 'Failed to read key'],
  ] as const)
    test(`W45, W47: without a good key (${path}) the socket opens and every announce is refused`, async () => {
      await using served = await serveWeb({ access: privateTracker() })
      served.log.filter = 'trace'
      using peer = await served.join(path)
      const refused = await peer.ask(announce('one', 'peer', { left: 1, ...offers('a') }))
      expect(refused).toEqual({
        action: 'announce',
        info_hash: id('one'),
        'failure reason': `Authentication error: ${words}`,
      })
      expect(served.lines.join('\n')).not.toContain(unknown)
      expect(served.lines.join('\n')).not.toContain(expired)
    })

  for (const path of [
    `/announce/${good}`,
    `/${good}/announce`,
    `/${good}`,
    `/tracker/socket/${good}`,
    `/announce?key=${good}`,
    `/?key=${good}`,
    `/?a=b&key=${good}&c=d`,
  ])
    test(`W46, W47: the key in ${path.replace(good, 'KEY')} works`, async () => {
      await using served = await serveWeb({ access: privateTracker() })
      served.log.filter = 'trace'
      using peer = await served.join(path)
      expect(await peer.ask(announce('one', 'peer', { left: 1 }))).toMatchObject({ incomplete: 1 })
      expect(served.lines.length).toBeGreaterThan(0)
      expect(served.lines.join('\n')).not.toContain(good)
    })

  test('W46: a key that is deleted refuses the next announce and the next answer', async () => {
    const access = privateTracker()
    addKey(access.keys!, keyWords(4), Infinity)
    await using served = await serveWeb({ access })
    using offerer = await served.join(`/${keyText(4)}`)
    using answerer = await served.join(`/${good}`)
    await answerer.ask(announce('one', 'answerer', { left: 0 }))
    await offerer.ask(announce('one', 'offerer', { left: 1, ...offers('a') }))
    const offer = await answerer.next()
    access.keys!.remove(keyWords(1))
    expect(why(await answerer.ask(answerTo(offer, 'answerer')))).toEndWith('Failed to read key')
    expect(await offerer.rest()).toEqual([])
    expect(why(await answerer.ask(announce('one', 'answerer')))).toEndWith('Failed to read key')
  })

  test('on an open tracker a path of any form is no key', async () => {
    await using served = await serveWeb()
    for (const path of ['/announce/a', '/tracker/socket', '/a/announce']) {
      using peer = await served.join(path)
      expect(await peer.ask(announce('one', 'peer'))).toHaveProperty('interval')
    }
  })
})

describe('who may connect', () => {
  const refusedWith = (status: number) => expect.stringContaining(`status code: ${status}`)
  const failure = (opening: Promise<Speaker>): Promise<string> =>
    opening.then(
      () => 'it opened',
      (error: Error) => error.message,
    )

  test('W60: pages of listed origins and programs without one', async () => {
    await using served = await serveWeb({ allowed_origins: ['https://good.example'] })
    const from = (origin: string) => served.join('/', { headers: { origin } })
    using page = await from('https://good.example')
    using program = await served.join()
    expect(await page.rest()).toEqual(await program.rest())
    expect(await failure(from('https://bad.example'))).toEqual(refusedWith(403))
    await using open = await serveWeb()
    using any = await open.join('/', { headers: { origin: 'https://bad.example' } })
    expect(await any.rest()).toEqual([])
  })

  test('W61: when all connections are taken, and when one is free again', async () => {
    await using served = await serveWeb({ max_connections: 2 })
    using one = await served.join()
    const two = await served.join()
    expect(await failure(served.join())).toEqual(refusedWith(503))
    two.close()
    await until('it is closed', () => served.all.open.ipv4 === 1)
    using again = await served.join()
    expect(await again.rest()).toEqual(await one.rest())
  })

  test('W61: without an option as many as the limit of open files allows', async () => {
    await using served = await serveWeb({ mostConnections: 1 })
    using one = await served.join()
    expect(await failure(served.join())).toEqual(refusedWith(503))
    expect(await one.rest()).toEqual([])
  })

  test('W62: behind a proxy the right-most address counts', async () => {
    await using served = await serveWeb({
      network: { on_reverse_proxy: true },
      max_connections_per_ip: 1,
    })
    const from = (chain: string) => served.join('/', { headers: { 'x-forwarded-for': chain } })
    using four = await from('198.51.100.1, 203.0.113.7')
    expect(await failure(from('198.51.100.99, 203.0.113.7'))).toEqual(refusedWith(503))
    using other = await from('203.0.113.8')
    using six = await from('203.0.113.7, 2001:db8:1:1::5')
    // All of a /64 is one client.
    expect(await failure(from('2001:db8:1:1:ffff::6'))).toEqual(refusedWith(503))
    for (const one of [four, other, six])
      expect(await one.ask(announce('one', 'peer', { left: 1 }))).toHaveProperty('interval')
    expect(served.all.open).toEqual({ ipv4: 2, ipv6: 1 })
    using nowhere = await served.join()
    expect(why(await nowhere.ask(announce('one', 'peer')))).toStartWith(
      'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP',
    )
  })

  test('a client of no known address takes no place of the client before it', async () => {
    await using served = await serveWeb({
      network: { on_reverse_proxy: true },
      max_connections_per_ip: 1,
    })
    const known = () => served.join('/', { headers: { 'x-forwarded-for': '203.0.113.7' } })
    const before = await known()
    using _ = await served.join()
    before.close()
    await until('it is closed', () => served.all.open.ipv4 === 1)
    using again = await known()
    expect(await again.rest()).toEqual([])
  })

  test('a place of an address that is closed is free again', async () => {
    await using served = await serveWeb({ max_connections_per_ip: 1 })
    const one = await served.join()
    expect(await failure(served.join())).toEqual(refusedWith(503))
    one.close()
    await until('it is closed', () => served.all.open.ipv4 === 0)
    using again = await served.join()
    expect(await again.rest()).toEqual([])
  })
})

describe('the port', () => {
  test('W63: without a handshake', async () => {
    await using served = await serveWeb()
    const url = served.url.replace('ws:', 'http:')
    for (const path of ['/', '/announce', '/announce?info_hash=x']) {
      const response = await fetch(`${url}${path}`)
      expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket'])
    }
    const health = await fetch(`${url}/health_check`)
    expect([health.status, await health.json()]).toEqual([200, { status: 'Ok' }])
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
  })

  const HANDSHAKE = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  for (const wrong of [{ 'sec-websocket-version': '8' }, { 'sec-websocket-key': '' }])
    test(`W63: with ${JSON.stringify(wrong)}`, async () => {
      await using served = await serveWeb()
      const url = served.url.replace('ws:', 'http:')
      const response = await fetch(url, { headers: { ...HANDSHAKE, ...wrong } })
      expect(response.status).toBe(426)
      expect(served.all.open).toEqual({ ipv4: 0, ipv6: 0 })
    })

  test('W65: over TLS', async () => {
    await using directory = await temporaryDirectory()
    const { cert, key } = await certify(directory.path)
    const tls_config = { ssl_cert_path: cert, ssl_key_path: key }
    await using served = await serveWeb({ tls_config })
    expect(served.url).toStartWith('wss://')
    using peer = await served.join('/', { tls: { rejectUnauthorized: false } })
    expect(await peer.ask(announce('one', 'peer', { left: 1 }))).toMatchObject({ incomplete: 1 })
  })

  test('W66: a client that offers compression is served without', async () => {
    await using served = await serveWeb()
    const extensions = await new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(served.url, { perMessageDeflate: true } as Bun.WebSocketOptions)
      socket.onopen = () => {
        resolve(socket.extensions)
        socket.close()
      }
      socket.onerror = () => reject(new Error('refused'))
    })
    expect(extensions).toBe('')
  })
})
