/** `tracker client` as its user runs it, against trackers under the control of a test (docs/behaviours.md T1). */
import { describe, expect, test } from 'bun:test'
import { workspace } from '../support/cli/workspace.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { actionOf, answerTo, type Behaviour, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { answering, fakeWebSocketTracker } from '../support/client/fake-websocket.ts'
import { freePort, launch, source } from '../support/e2e/program.ts'

const HERE = '127.0.0.1'
const HASH = '0a'.repeat(20)
const OTHER = '0b'.repeat(20)
const PEER_ID = '-XX0001-abcdefghijkl'

async function client(...words: readonly (string | number)[]) {
  using here = workspace({
    'good.torrent': 'd4:infod6:pieces0:ee',
    'bad.torrent': 'd4:infoi1ee',
  })
  const { code, out, err } = await here.run(['client', ...words.map(String)])
  const plain = (text: string) => text.replaceAll(/(127\.0\.0\.1|localhost):\d+/g, '$1:PORT')
  return { code, out: plain(out), err: plain(err) }
}

/** Answers connects; the test answers the rest. */
const udp = (behave: Behaviour) =>
  fakeUdpTracker(HERE, (request, answer) =>
    actionOf(request) === 0 ? answer(answerTo(request, 0, 1, 2)) : behave(request, answer),
  )
const http = (body: string, status?: string, head?: string) =>
  fakeHttpServer((_request, socket) => void socket.write(respond(body, status, head)))

describe('an announce', () => {
  test('over UDP: what is asked and what is printed', async () => {
    let asked: Buffer = Buffer.alloc(0)
    let transaction = 0
    using tracker = await udp((request, answer) => {
      asked = Buffer.from(request.buffer.slice(request.byteOffset))
      transaction = request.getInt32(12)
      // Two peers are three words. A negative count is nonsense, but what the tracker sent.
      answer(answerTo(request, 1, 5400, -2, 3, 0xc0000207, 0x0050c000, 0x02080051))
    })
    const url = `udp://${HERE}:${tracker.port}`
    const said = ['--event', 'completed', '--uploaded', 2 ** 32 + 1, '--downloaded', 2, '--left', 3]
    const peer = ['--port', 65535, `--peer-id=${PEER_ID}`, '--ip=192.0.2.1', '--key', 4294967295]
    const json = await client('announce', url, HASH, ...said, ...peer, '--numwant', 7)
    expect(json).toEqual({
      code: 0,
      out: `{"AnnounceIpv4":{"transaction_id":${transaction},"announce_interval":5400,"leechers":-2,"seeders":3,"peers":["192.0.2.7:80","192.0.2.8:81"]}}\n`,
      err: '',
    })
    expect(asked.subarray(16, 98).toString('hex')).toBe(
      [
        HASH,
        Buffer.from(PEER_ID).toString('hex'),
        '0000000000000002',
        '0000000000000003',
        '0000000100000001',
        '00000001',
        'c0000201',
        'ffffffff',
        '00000007',
        'ffff',
      ].join(''),
    )
    const text = await client(
      'announce',
      url,
      HASH,
      `--peer-id=${'0f'.repeat(20)}`,
      '--format=text',
    )
    expect(text).toEqual({
      code: 0,
      out: `udp://127.0.0.1:PORT over IPv4
torrent    ${HASH}
announced  port 6881, peer id ${'0f'.repeat(20)}
seeders    3
leechers   -2
interval   1 hr, 30 min
peers      2
  192.0.2.7:80
  192.0.2.8:81
`,
      err: '',
    })
    // The defaults: a seeder that starts, and the tracker decides on the number of peers.
    expect(asked.subarray(56, 84).toString('hex')).toBe(`${'00'.repeat(24)}00000002`)
    expect([asked.readInt32BE(92), asked.readUInt16BE(96)]).toEqual([-1, 6881])
  })

  test('over HTTP: what is asked and what is printed', async () => {
    const peers = `ld2:ip9:192.0.2.77:peer id20:${PEER_ID}4:porti80eed2:ip4:\x1b[0m4:porti81eee`
    const body = `d8:completei1e10:downloadedi9e10:incompletei2e8:intervali1800e12:min intervali90e5:peers${peers}15:warning message7:\x07hurry!e`
    using tracker = await http(body)
    const url = `http://localhost:${tracker.port}/announce?k=1`
    const words = ['--ip-address', '2001:db8::1', '--event=none', '--key', 255, '--compact', 0]
    const id = `--peer-id=${PEER_ID}`
    const json = await client('announce', url, HASH, ...words, id, '--peers-wanted', 0)
    const warning = 'tracker client announce: http://localhost:PORT: the tracker warns: hurry!\n'
    const bytes = JSON.stringify([...Buffer.from(PEER_ID)])
    expect(json).toEqual({
      code: 0,
      out: `{"complete":1,"incomplete":2,"interval":1800,"min interval":90,"peers":[{"ip":"192.0.2.7","peer id":${bytes},"port":80},{"ip":"\\u001b[0m","peer id":null,"port":81}]}\n`,
      err: warning,
    })
    const escaped = PEER_ID.replaceAll('-', '%2D')
    expect(tracker.requests[0]).toStartWith(
      `GET /announce?k=1&info_hash=${'%0A'.repeat(20)}&peer_id=${escaped}&port=6881&uploaded=0&downloaded=0&left=0&compact=0&numwant=0&key=000000ff&ip=2001:db8::1 HTTP/1.1\r\n`,
    )
    expect(await client('announce', url, HASH, '--format', 'text', id)).toEqual({
      code: 0,
      out: `http://localhost:PORT over IPv4
torrent     ${HASH}
announced   port 6881, peer id ${PEER_ID}
seeders     1
leechers    2
downloaded  9
interval    30 min (at least 1 min, 30 sec)
peers       2
  192.0.2.7:80  ${PEER_ID}
  [0m:81
`,
      err: warning,
    })
    const second = tracker.requests.findLast(() => true)!
    expect(second).toContain('&left=0&event=started&compact=1&key=')
    expect(second).not.toMatch(/numwant|ip=/)
  })

  test('over a WebSocket: what is asked and what is printed, and the peer leaves', async () => {
    using tracker = fakeWebSocketTracker(answering)
    const url = `ws://${HERE}:${tracker.port}/announce`
    const id = `--peer-id=${PEER_ID}`
    expect(await client('announce', url, HASH, '--left', 3, id)).toEqual({
      code: 0,
      out: '{"complete":1,"incomplete":2,"interval":120,"min interval":null,"peers":[]}\n',
      err: '',
    })
    const told = { action: 'announce', info_hash: '\n'.repeat(20), peer_id: PEER_ID, left: 3 }
    expect(tracker.messages).toEqual([
      { ...told, uploaded: 0, downloaded: 0, event: 'started' },
      { ...told, uploaded: 0, downloaded: 0, event: 'stopped' },
    ])
    expect(await client('announce', url, HASH, '--format', 'text', id)).toEqual({
      code: 0,
      out: `ws://127.0.0.1:PORT over IPv4
torrent    ${HASH}
announced  peer id ${PEER_ID}
seeders    1
leechers   2
interval   2 min
`,
      err: '',
    })
    expect(await client('scrape', url, HASH, OTHER)).toEqual({
      code: 0,
      out: `${JSON.stringify({
        [HASH]: { complete: 1, downloaded: 3, incomplete: 2 },
        [OTHER]: { complete: 2, downloaded: 3, incomplete: 2 },
      })}\n`,
      err: '',
    })
  })

  test('at an HTTP server that knows no WebSocket', async () => {
    using server = await http('x', '404 Not Found')
    expect(await client('announce', `ws://${HERE}:${server.port}/a`, HASH)).toEqual({
      code: 1,
      out: '',
      err: 'tracker client announce: ws://127.0.0.1:PORT/a: HTTP status 404, and no WebSocket; the tracker may be at another path\n',
    })
  })

  test('what the tracker leaves out is null, and the peer id is fresh in every run', async () => {
    using tracker = await http('d8:intervali1ee')
    for (let run = 0; run < 2; run++)
      expect(await client('announce', `http://${HERE}:${tracker.port}`, HASH)).toEqual({
        code: 0,
        out: '{"complete":0,"incomplete":0,"interval":1,"min interval":null,"peers":[]}\n',
        err: '',
      })
    const ids = tracker.requests.map((request) => /peer_id=(.*?)&/.exec(request)?.[1])
    expect(ids[0]).toMatch(/^%2DTK0100%2D\d{12}$/)
    expect(ids[1]).not.toBe(ids[0])
  })

  test('a failure that all torrents share is printed once, and stands in the document for each', async () => {
    const url = `udp://${HERE}:${await freePort()}`
    const why = 'udp://127.0.0.1:PORT: nothing listens there (connection refused)'
    const error = { error: { kind: 'connect', message: why } }
    expect(await client('announce', url, HASH, OTHER)).toEqual({
      code: 1,
      out: `${JSON.stringify({ [HASH]: error, [OTHER]: error })}\n`,
      err: `tracker client announce: ${why}\n`,
    })
  })
})

describe('a scrape', () => {
  test('over UDP, of each torrent once, in the order given', async () => {
    let length = 0
    let transaction = 0
    using tracker = await udp((request, answer) => {
      length = request.byteLength
      transaction = request.getInt32(12)
      answer(answerTo(request, 2, 1, 2, 3, 4, 5, 6))
    })
    const url = `${HERE}:${tracker.port}`
    expect(await client('scrape', url, HASH, ` ${HASH.toUpperCase()} ${OTHER}`)).toEqual({
      code: 0,
      out: `{"Scrape":{"transaction_id":${transaction},"torrent_stats":[{"seeders":1,"completed":2,"leechers":3},{"seeders":4,"completed":5,"leechers":6}]}}\n`,
      err: '',
    })
    expect(length).toBe(16 + 2 * 20)
  })

  test('over HTTP; what the tracker leaves out is reported, what was not asked for is not', async () => {
    const entry = (byte: string, seeders: number) =>
      `20:${byte.repeat(20)}d8:completei${seeders}e10:downloadedi20e10:incompletei3ee`
    using tracker = await http(`d5:filesd${entry('\n', 12345678)}${entry('x', 4)}ee`)
    const url = `http://${HERE}:${tracker.port}/announce`
    const message = `the tracker left out ${OTHER}`
    const warning = { kind: 'scrape_response_truncated', requested: 2, returned: 1, message }
    expect(await client('scrape', url, OTHER, HASH)).toEqual({
      code: 0,
      out: `{"${HASH}":{"complete":12345678,"downloaded":20,"incomplete":3}}\n`,
      err: `${JSON.stringify({ warning })}\n`,
    })
    expect(await client('scrape', url, OTHER, HASH, '--format', 'text')).toEqual({
      code: 0,
      out: `http://127.0.0.1:PORT over IPv4
torrent                                    seeders  downloaded  leechers
${OTHER}         -           -         -
${HASH}  12345678          20         3
`,
      err: `tracker client scrape: http://127.0.0.1:PORT: ${message}\n`,
    })
  })
})

describe('a tracker that refuses', () => {
  test('over UDP', async () => {
    using tracker = await udp((request, answer) =>
      answer(Buffer.concat([answerTo(request, 3), Buffer.from('go\x1b[2J away')])),
    )
    const url = `udp://${HERE}:${tracker.port}`
    for (const what of ['announce', 'scrape']) {
      const { code, out, err } = await client(what, url, HASH)
      expect(code).toBe(1)
      expect(JSON.parse(out)).toEqual({
        Error: { transaction_id: expect.any(Number), message: 'go [2J away' },
      })
      const line = `tracker client ${what}: udp://127.0.0.1:PORT: the tracker refuses: go [2J away\n`
      expect(err).toBe(line)
      expect(await client(what, url, HASH, '--format=text')).toEqual({
        code: 1,
        out: '',
        err: line,
      })
    }
  })

  test('over HTTP', async () => {
    using tracker = await http('d14:failure reason0:e', '403 Forbidden')
    for (const what of ['announce', 'scrape'])
      expect(await client(what, `http://${HERE}:${tracker.port}`, HASH)).toEqual({
        code: 1,
        out: '{"failure reason":""}\n',
        err: `tracker client ${what}: http://127.0.0.1:PORT: the tracker refuses: it gives no reason\n`,
      })
  })
})

describe('no tracker, or a bad one: one line, exit code 1', () => {
  const page = '<!DOCTYPE html><title>hello</title>'
  const at = 'http://127.0.0.1:PORT'
  const pathHint = `is the path right? Most trackers are at ${at}/announce`
  const keyHint = 'the tracker may be at another path, or want a key in it'
  const isHtml = 'no bencoded answer (not a digit at byte 0)'
  test.each([
    [
      'another path',
      '/tracker',
      respond('', '404 Not Found'),
      `/tracker/announce: HTTP status 404 Not Found; ${pathHint}`,
    ],
    [
      'no such path',
      '/announce',
      respond('', '404 Not Found'),
      `/announce: HTTP status 404 Not Found; ${keyHint}`,
    ],
    [
      'a web page',
      '',
      respond(page),
      `/announce: ${isHtml}; it begins with ${JSON.stringify(page)}; ${keyHint}`,
    ],
  ])('%s', async (_name, path, answer, message) => {
    using server = await fakeHttpServer((_request, socket) => void socket.write(answer))
    const url = `http://${HERE}:${server.port}${path}`
    const { code, out, err } = await client('announce', url, HASH, '--timeout', 2)
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(`tracker client announce: ${at}${message}\n`)
  })

  test('HTTP without TLS where HTTPS was asked for', async () => {
    using server = await http('d8:intervali1ee')
    const { code, out, err } = await client('announce', `https://${HERE}:${server.port}`, HASH)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/^tracker client announce: https:\S+: .+; it may speak http:\/\/ only\n$/)
  })

  test('the compact form only', async () => {
    using server = await http('', '400 Invalid Request')
    const url = `http://${HERE}:${server.port}`
    const { err } = await client('announce', url, HASH, '--compact=0')
    expect(err).toEndWith(
      ': HTTP status 400 Invalid Request; it may serve the compact form only: leave out --compact 0\n',
    )
  })

  test('silence, nothing that listens, or a name without an address', async () => {
    using silent = await udp(() => {})
    const port = await freePort()
    const refused = 'nothing listens there (connection refused)'
    for (const [url, message] of [
      [`udp://${HERE}:${silent.port}`, 'udp://127.0.0.1:PORT: no answer within 0.3 s'],
      [`udp://${HERE}:${port}`, `udp://127.0.0.1:PORT: ${refused}`],
      [`http://${HERE}:${port}`, `${at}/scrape: ${refused}`],
      ['udp://tracker.invalid:1', 'no such host: tracker.invalid'],
    ] as const)
      expect(await client('scrape', url, HASH, '--timeout=0.3')).toEqual({
        code: 1,
        out: '',
        err: `tracker client scrape: ${message}\n`,
      })
  })
})

describe('wrong usage: one line, exit code 2, nothing is asked', () => {
  const URL = 'udp://127.0.0.1:1'
  test.each<[readonly string[], string]>([
    [['tracker', HASH], 'tracker: the port is missing'],
    [['\x1b[2J', HASH], '[2J: not a URL'],
    [[URL, HASH, 'bad.torrent'], 'bad.torrent is not a .torrent file'],
    [
      [URL, '/dev/zero'],
      '/dev/zero: is larger than 32 MiB, which no torrent and no configuration is',
    ],
    [[URL, HASH, '--port', '0'], '--port must be a whole number from 1 to 65535, not 0'],
    [
      [URL, HASH, '--left', '9007199254740992'],
      '--left must be a whole number from 0 to 9007199254740991, not 9007199254740992',
    ],
    [
      [URL, HASH, '--key', '4294967296'],
      '--key must be a whole number from 0 to 4294967295, not 4294967296',
    ],
    [
      [URL, HASH, '--numwant=2147483648'],
      '--numwant must be a whole number from 0 to 2147483647, not 2147483648',
    ],
    [
      [URL, HASH, '--peer-id', 'short'],
      '--peer-id must be 20 ASCII characters or 40 hexadecimal digits, not "short"',
    ],
    [[URL, HASH, '--ip', '1.2.3'], '--ip must be an IPv4 or IPv6 address, not 1.2.3'],
    [
      [URL, HASH, '--ip', '::1'],
      '--ip must be an IPv4 address: the UDP protocol has no room for another',
    ],
    [[URL, HASH, '--compact', 'yes'], '--compact must be 0 or 1, not yes'],
    [[URL], 'needs an argument: INFO_HASH'],
  ])('%p', async (words, message) => {
    expect(await client('announce', ...words)).toEqual({
      code: 2,
      out: '',
      err: `tracker client announce: ${message}. See tracker client announce --help\n`,
    })
  })
})

test('a relative path starts in the working directory', async () => {
  using tracker = await http('d5:filesdee')
  const { err } = await client('scrape', `http://${HERE}:${tracker.port}`, 'good.torrent')
  expect(err).toContain('"requested":1,"returned":0')
})

test('a terminal shows the progress', async () => {
  using silent = await udp(() => {})
  const words = ['client', 'announce', `udp://${HERE}:${silent.port}`, HASH, '--timeout', '1.5']
  await using run = await launch(source, { words, terminal: true })
  const { code, out } = await run.ended()
  expect(code).toBe(1)
  expect(out).toContain(`udp://${HERE}:${silent.port}: 0 of 1 announced\x1b[?7h\r\x1b[K`)
})
