/** Every way in which a command gets nothing done: one clear message, and the exit code that says whose fault it is. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { findTracker } from '../../src/operate/place.ts'
import { certify } from '../support/certificate.ts'
import { capturedHost } from '../support/cli/captured-host.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { minimalToml } from '../support/configuration.ts'
import { runCommand, runningTracker, TOKEN } from '../support/operate/running.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const plain = (text: string): string => text.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')

describe('wrong usage', () => {
  const HASH = '01'.repeat(20)
  test.each<[string[], string]>([
    [['torrents', '--limit', '0'], '--limit must be a whole number from 1 to 4294967295, not 0'],
    [
      ['torrents', '--sort', 'growth'],
      '--sort must be hash, seeders, leechers, completed or peers, not growth',
    ],
    [['torrents', HASH, '--sort', 'hash'], '--limit and --sort are for the list'],
    [
      ['torrents', '0123456789'.repeat(3)],
      `info hash ${'0123456789'.repeat(3)} has 30 digits instead of 40`,
    ],
    [['keys', 'add'], 'needs either --seconds, for which the key is valid, or --never'],
    [
      ['keys', 'add', '--never', '--seconds', '1'],
      'needs either --seconds, for which the key is valid, or --never',
    ],
    [['keys', 'add', '--seconds', '-1'], '--seconds needs a value: --seconds COUNT'],
    [
      ['keys', 'add', 'short', '--never'],
      'a key has 32 letters and digits, which one of the arguments has not',
    ],
    [
      ['keys', 'remove', 'k'.repeat(32), 'short'],
      'a key has 32 letters and digits, which one of the arguments has not',
    ],
    [['keys', 'remove'], 'needs an argument: KEY'],
    [['keys'], 'needs a command: list, add or remove'],
    [['whitelist', 'add'], 'needs an argument: TORRENT'],
    [
      ['whitelist', 'add', HASH, 'magnet:?xt=urn:x'],
      'magnet:?xt=urn:x names no torrent (xt=urn:btih:…)',
    ],
    [['bans', 'lift'], 'needs either addresses or --all'],
    [['bans', 'lift', '--all', '::1'], 'needs either addresses or --all'],
    [['bans', 'lift', '192.0.2.1/32'], '192.0.2.1/32 is no IP address, nor the /64 of one'],
    [['log', '--lines', '10001'], '--lines must be a whole number from 0 to 10000, not 10001'],
    [['stats', '--timeout', '0'], '--timeout must be from 0.01 to 3600 seconds, not 0'],
    [['stats', '--token', 'a', '--token-file', 'b'], '--token-file and --token exclude each other'],
    [['stats', '--url', 'http://a', '--config', 'b'], '--url and --config exclude each other'],
    [
      ['stats', '--token', 'a', '--url', 'udp://a:1'],
      '--url: udp://a:1: expected http:// or https://',
    ],
    [
      ['stats', '--token', 'a', '--url', 'ws://a:1'],
      '--url: ws://a:1/: expected http:// or https://',
    ],
    [['stats', '--token', 'a', '--url', 'http://'], '--url: http://: not a URL'],
  ])('%p', async (words, message) => {
    using directory = temporaryDirectory({
      'tracker.toml': toml('127.0.0.1:1', `admin = "${TOKEN}"`),
    })
    const name = `tracker ${words.slice(0, ['keys', 'whitelist', 'bans'].includes(words[0]!) && words.length > 1 ? 2 : 1).join(' ')}`
    expect(await runCommand(words, { cwd: directory.path })).toEqual({
      code: 2,
      out: '',
      err: `${name}: ${message}. See ${name} --help\n`,
    })
  })
})

const toml = (bind: string, tokens: string, more = ''): string =>
  minimalToml({
    rest: `[http_api]\nbind_address = "${bind}"\n${more}\n[http_api.access_tokens]\n${tokens}`,
  })

describe('where the tracker is', () => {
  /** What `stats` complains of in a directory with these files. */
  async function stats(files: Record<string, string>, words: string[] = [], env = {}) {
    using directory = temporaryDirectory(files)
    const { code, out, err } = await runCommand(['stats', ...words], { cwd: directory.path, env })
    expect(out).toBe('')
    return [code, err]
  }
  const failed = (message: string) => [1, `tracker stats: ${message}\n`]

  test('the configuration has mistakes', async () => {
    const [code, err] = await stats({ 'tracker.toml': minimalToml({ core: 'x = 1\n' }) })
    expect([code, err]).toEqual([
      78,
      expect.stringMatching(
        /core\.x(?:.|\n)*\ntracker stats: the running tracker was not asked: .*\n$/,
      ),
    ])
  })
  test('the configuration has no API', async () => {
    expect(await stats({ 'tracker.toml': minimalToml() })).toEqual(
      failed(
        'tracker.toml has no [http_api], so that its tracker cannot be asked: add one, or name another tracker with --config PATH or --url URL',
      ),
    )
  })
  test('its port is the choice of the system', async () => {
    expect(await stats({ 'tracker.toml': toml('127.0.0.1:0', 'a = "b"') })).toEqual(
      failed(
        'http_api.bind_address in tracker.toml has port 0: only the log of the tracker says which port it got; name it with --url URL',
      ),
    )
  })
  test('there is no token', async () => {
    expect(await stats({ 'tracker.toml': toml('127.0.0.1:1', '') })).toEqual(
      failed(
        'http_api.access_tokens in tracker.toml has no token that may do everything. If the tracker made one for this run, its log has it: --token-file PATH or TRACKER_TOKEN',
      ),
    )
    expect(await stats({}, ['--url', 'http://a'])).toEqual(
      failed('a token for http://a:80 is missing: --token-file PATH or TRACKER_TOKEN').map((one) =>
        typeof one === 'string' ? one.replace(':80', '') : one,
      ),
    )
  })
  test('the tokens there may not do everything', async () => {
    const [code, err] = await stats({
      'tracker.toml': toml('127.0.0.1:1', 'a = { token = "b", scope = "read" }'),
    })
    expect([code, err]).toEqual([1, expect.stringContaining('has no token that may do everything')])
  })
  test('the token cannot be read or sent', async () => {
    expect(await stats({}, ['--token-file', 'gone'])).toEqual(
      failed('gone: no such file or directory'),
    )
    expect(await stats({ t: '\n' }, ['--token-file', 't'])).toEqual(
      failed('the token in t is empty'),
    )
    expect(await stats({}, [], { TRACKER_TOKEN: 'two words' })).toEqual(
      failed(
        'the token of TRACKER_TOKEN has characters that no HTTP header can carry: use letters and digits',
      ),
    )
  })
})

describe('a configuration leads to', () => {
  /** `address` stands for where the API listens. */
  const place = (address: string, more = '') => {
    using directory = temporaryDirectory({
      'tracker.toml': toml(address, 'a = { token = "b", scope = "read" }\nc = "d"', more),
    })
    const found = findTracker(
      { options: new Map(), arguments: [] },
      { ...capturedHost().host, cwd: directory.path },
    )
    return found && [found.base, found.address?.ip, found.insecure, found.token]
  }
  const tls = 'tls_config = { ssl_cert_path = "c", ssl_key_path = "k" }\n'
  const named = `${tls}public_url = "https://tracker.example/api"`

  test.each<[string, string, (string | boolean | undefined)[]]>([
    ['127.0.0.1:1212', '', ['http://127.0.0.1:1212', undefined, true, 'd']],
    ['0.0.0.0:1212', '', ['http://127.0.0.1:1212', undefined, true, 'd']],
    ['[::]:1212', tls, ['https://[::1]:1212', undefined, true, 'd']],
    // Of no machine.
    ['192.0.2.1:1212', '', ['http://192.0.2.1:1212', undefined, false, 'd']],
    ['192.0.2.1:1212', tls, ['https://192.0.2.1:1212', undefined, false, 'd']],
    ['192.0.2.1:1212', named, ['https://tracker.example:1212', '192.0.2.1', false, 'd']],
    ['127.0.0.1:1212', named, ['https://127.0.0.1:1212', undefined, true, 'd']],
  ])('%s %s', (address, more, found) => expect(place(address, more)).toEqual(found))
})

describe('what answers', () => {
  /** Code and complaint of a command that asks a server which answers so. */
  async function asking(answer: string, words: string[] = ['stats']) {
    using server = await fakeHttpServer((_request, socket) => {
      socket.write(answer)
      if (!answer.startsWith('HTTP/')) socket.end()
    })
    const { code, out, err } = await runCommand(
      [...words, '--url', `http://127.0.0.1:${server.port}`, '--timeout', '60'],
      { env: { TRACKER_TOKEN: TOKEN } },
    )
    expect(out).toBe('')
    const name = words.filter((word) => /^[a-z]+$/.test(word)).join(' ')
    return [code, plain(err).replace(`tracker ${name}: http://127.0.0.1:PORT: `, '')]
  }
  const OTHER = 'this may be another program than a tracker'

  test.each<[string, string, string]>([
    ['a page', respond('<html>'), `the answer is not JSON: ${OTHER}`],
    [
      'a page with a status',
      respond('<html>\x1b[2J', '502 Bad Gateway'),
      `HTTP status 502 Bad Gateway: ${OTHER}`,
    ],
    [
      'a redirect',
      respond('', '302 Found', 'Location: /login\r\n'),
      `HTTP status 302 Found, moved to http://127.0.0.1:PORT/login: ${OTHER}`,
    ],
    [
      'no such path',
      respond('', '404 Not Found'),
      `HTTP status 404: it has no GET /api/v1/stats: ${OTHER}, or its version is older`,
    ],
    [
      'another protocol',
      'SSH-2.0\r\n\r\n',
      `the connection was closed before an answer came: ${OTHER}`,
    ],
    [
      'a proxy that wants a password',
      respond('', '401 Unauthorized'),
      'it does not accept the token (Unauthorized): has its configuration changed since it started? Another token is given with --token-file PATH or TRACKER_TOKEN',
    ],
    [
      'a token with another scope',
      respond(
        '{"status":"err","reason":"token a may not do this: its scope is metrics"}',
        '403 Forbidden',
      ),
      'token a may not do this: its scope is metrics',
    ],
    [
      'a tracker that is too busy',
      respond('', '408 Request Timeout'),
      'the tracker is too busy to answer',
    ],
    [
      'a failure with what a terminal would obey',
      respond('Unhandled rejection: Err { reason: "bad \x1b]0;x\x07\\"news\\"\n" }', '500 X'),
      'bad  ]0;x "news"',
    ],
  ])('%s', async (_what, answer, message) => {
    expect(await asking(answer)).toEqual([1, `${message}\n`])
  })

  test('a change is not known to be done or not', async () => {
    expect(await asking(respond('', '408 Request Timeout'), ['keys', 'add', '--never'])).toEqual([
      1,
      'the tracker is too busy to answer; whether it was done is not known\n',
    ])
  })

  test('a list that is none, and JSON of another form', async () => {
    expect(await asking(respond('{}'), ['torrents'])).toEqual([1, 'not a list\n'])
    for (const words of [
      ['stats'],
      ['keys', 'add', '--never'],
      ['bans', 'lift', '--all'],
      ['reload'],
      ['log'],
    ])
      for (const body of ['null', '7', '[null]', '{"a":{"b":[]}}', '"x"']) {
        using server = await fakeHttpServer((_request, socket) => void socket.write(respond(body)))
        const asked = [...words, '--url', `http://127.0.0.1:${server.port}`, '--format', 'text']
        const { code, err } = await runCommand(asked, { env: { TRACKER_TOKEN: TOKEN } })
        expect([words, body, code, err]).toEqual([words, body, 0, ''])
      }
  })

  test('a name or a list with what a terminal would obey, as text and as JSON', async () => {
    const bodies = {
      stats: '{"\\u001b[2J\u009bname":"\\u001b]0;x\\u0007"}',
      torrents: '[{"info_hash":"\\u001b[2J\u009b","seeders":1}]',
      log: '[{"level":"\u009b","target":"\\u001b[2J","fields":{"message":"a\\nb\\u001b[2J","\\u001b":"\\n"}}]',
      reload: '{"applied":["\\u001b[2J\u009b"],"restart":[]}',
    }
    for (const [name, body] of Object.entries(bodies))
      for (const format of ['text', 'json']) {
        const bytes = `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
        using server = await fakeHttpServer((_request, socket) => void socket.write(bytes))
        const { code, out } = await runCommand(
          [name, '--url', `http://127.0.0.1:${server.port}`, '--format', format],
          { env: { TRACKER_TOKEN: TOKEN }, outIsTerminal: true },
        )
        expect([name, code]).toEqual([name, 0])
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that a terminal obeys
        expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
        if (name === 'log' && format === 'text') expect(out.trimEnd()).not.toContain('\n')
      }
  })

  test('nothing', async () => {
    using server = await fakeHttpServer(() => {})
    const { port } = server
    const words = ['stats', '--url', `http://127.0.0.1:${port}`, '--timeout', '0.3']
    const silent = await runCommand(words, { env: { TRACKER_TOKEN: TOKEN } })
    expect([silent.code, plain(silent.err)]).toEqual([
      1,
      'tracker stats: http://127.0.0.1:PORT: no answer within 0.3 s: --timeout SECONDS waits longer\n',
    ])
    server[Symbol.dispose]()
    const gone = await runCommand(words, { env: { TRACKER_TOKEN: TOKEN } })
    expect([gone.code, plain(gone.err)]).toEqual([
      1,
      'tracker stats: http://127.0.0.1:PORT: nothing listens there (connection refused): does the tracker run? Another one is named with --config PATH or --url URL\n',
    ])
  })

  test('no host', async () => {
    const { code, err } = await runCommand([
      'stats',
      '--url',
      'http://tracker.invalid',
      '--token',
      'a',
    ])
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^tracker stats: http:\/\/tracker\.invalid: /),
    ])
  })
})

describe('a tracker of ours', () => {
  test('that was started with another token', async () => {
    await using tracker = await runningTracker({ tokens: 'admin = "another"' })
    expect(await tracker.run(['stats'])).toEqual({
      code: 1,
      out: '',
      err: `tracker stats: ${tracker.url}: it does not accept the token (token not valid): has its configuration changed since it started? Another token is given with --token-file PATH or TRACKER_TOKEN\n`,
    })
  })

  test('without a database', async () => {
    await using tracker = await runningTracker({ database: false })
    for (const words of [
      ['keys', 'list'],
      ['whitelist', 'add', '01'.repeat(20)],
    ]) {
      const { code, err } = await tracker.run(words)
      expect([code, err]).toEqual([
        1,
        `tracker ${words.slice(0, 2).join(' ')}: ${tracker.url}: ${words[0] === 'keys' ? 'auth keys' : 'whitelist'} capability is disabled by configuration: it has no database, see [core.database] of its configuration\n`,
      ])
    }
  })

  test('whose certificate is for another name is asked on its own machine, and elsewhere only if told to', async () => {
    await using tracker = await runningTracker({ secure: true })
    expect((await tracker.run(['stats'])).code).toBe(0)
    const words = ['stats', '--url', tracker.url, '--token', TOKEN]
    const refused = await tracker.run(words)
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(
        /^tracker stats: https:\S+: .*\([A-Z_]+\): name the host of the certificate with --url, or accept any with --insecure\n$/,
      ),
    ])
    expect((await tracker.run([...words, '--insecure'])).code).toBe(0)
  })
})

test('the token goes in a header, and to no place that an answer names', async () => {
  using directory = temporaryDirectory()
  const made = await certify(directory.path)
  const tls = { cert: readFileSync(made.cert, 'utf8'), key: readFileSync(made.key, 'utf8') }
  for (const secure of [false, true]) {
    using server = await fakeHttpServer((_request, socket) => void socket.write(respond('[]')), {
      ...(secure && { tls }),
    })
    const url = `${secure ? 'https' : 'http'}://127.0.0.1:${server.port}/behind/a/proxy/`
    const { code } = await runCommand(['bans', 'list', '--url', url, '--insecure'], {
      env: { TRACKER_TOKEN: TOKEN },
    })
    expect(code).toBe(0)
    const [request = ''] = server.requests
    expect(request).toStartWith('GET /behind/a/proxy/api/v1/bans?offset=0&limit=40000 HTTP/1.1\r\n')
    expect(request.split('\r\n')).toContain(`Authorization: Bearer ${TOKEN}`)
  }
})
