/** Tracker URLs as people write them, and the paths at which HTTP trackers are asked. */
import { describe, expect, test } from 'bun:test'
import {
  parseTrackerUrl,
  requestPath,
  requestUrl,
  type Scheme,
  shownPath,
} from '../../src/client/tracker-url.ts'

describe('a tracker URL', () => {
  test.each<[string, string, string, number, string, string]>([
    ['udp://a.example:6969', 'udp', 'a.example', 6969, '', 'udp://a.example:6969'],
    ['udp://a.example:6969/', 'udp', 'a.example', 6969, '/', 'udp://a.example:6969/'],
    [
      'UDP://A.example:80/announce/K',
      'udp',
      'a.example',
      80,
      '/announce/K',
      'udp://a.example:80/announce/K',
    ],
    ['127.0.0.1:6969', 'udp', '127.0.0.1', 6969, '', 'udp://127.0.0.1:6969'],
    ['localhost:6969', 'udp', 'localhost', 6969, '', 'udp://localhost:6969'],
    ['[::1]:6969', 'udp', '::1', 6969, '', 'udp://[::1]:6969'],
    [
      'udp://[2001:DB8::1]:1/announce',
      'udp',
      '2001:db8::1',
      1,
      '/announce',
      'udp://[2001:db8::1]:1/announce',
    ],
    ['http://a', 'http', 'a', 80, '', 'http://a/'],
    ['http://a:80/', 'http', 'a', 80, '/', 'http://a/'],
    ['http://a:443/', 'http', 'a', 443, '/', 'http://a:443/'],
    ['https://a', 'https', 'a', 443, '', 'https://a/'],
    ['https://a:80', 'https', 'a', 80, '', 'https://a:80/'],
    [
      'http://a:7070/announce.php?k=%f2#x',
      'http',
      'a',
      7070,
      '/announce.php?k=%f2',
      'http://a:7070/announce.php?k=%f2',
    ],
    ['http://[::1]:7070', 'http', '::1', 7070, '', 'http://[::1]:7070/'],
    ['ws://a', 'ws', 'a', 80, '', 'ws://a/'],
    ['WSS://a:443/announce/K', 'wss', 'a', 443, '/announce/K', 'wss://a/announce/K'],
    ['wss://[::1]:7070?key=K', 'wss', '::1', 7070, '/?key=K', 'wss://[::1]:7070/?key=K'],
  ])('%s', (text, scheme, host, port, path, href) => {
    const protocol = { udp: 'udp', http: 'http', https: 'http', ws: 'websocket', wss: 'websocket' }
    expect(parseTrackerUrl(text)).toEqual({
      scheme,
      protocol: protocol[scheme as Scheme],
      host,
      port,
      path,
      href,
    } as never)
  })

  test.each([
    ['', 'expected a tracker URL, found nothing'],
    ['udp://a', 'udp://a: the port is missing'],
    ['tracker.example', 'tracker.example: the port is missing'],
    ['udp://a:0', 'udp://a:0: the port cannot be 0'],
    ['http://a:0/', 'http://a:0/: the port cannot be 0'],
    ['udp://a:65536', 'udp://a:65536: not a URL'],
    ['udp://:6969', 'udp://:6969: not a URL'],
    ['::1:6969', '::1:6969: not a URL'],
    ['ws://a:0', 'ws://a:0: the port cannot be 0'],
    ['ftp://a:1', 'ftp://a:1: expected udp://, http://, https://, ws:// or wss://'],
    ['toString://a:1', 'toString://a:1: expected udp://, http://, https://, ws:// or wss://'],
    ['http://me:secret@a/', 'http://***@a: a user name or password cannot be sent'],
  ])('%p is refused', (text, problem) => {
    expect(parseTrackerUrl(text)).toBe(problem)
  })
})

test.each([
  ['', '/announce', '/scrape'],
  ['/', '/announce', '/scrape'],
  ['?a=b', '/announce?a=b', '/scrape?a=b'],
  ['/announce', '/announce', '/scrape'],
  ['/scrape', '/announce', '/scrape'],
  ['/announce/KEY', '/announce/KEY', '/scrape/KEY'],
  ['/announce/scrapeKEY', '/announce/scrapeKEY', '/scrape/scrapeKEY'],
  ['/KEY/announce', '/KEY/announce', '/KEY/scrape'],
  [
    '/announce.php?passkey=announce',
    '/announce.php?passkey=announce',
    '/scrape.php?passkey=announce',
  ],
  ['/base', '/base/announce', '/base/scrape'],
  ['/base/', '/base/announce', '/base/scrape'],
])('the path %p is asked at %s and %s', (path, announce, scrape) => {
  expect([requestPath(path, 'announce'), requestPath(path, 'scrape')]).toEqual([announce, scrape])
})

test.each([
  ['/announce', '/announce'],
  ['/announce?passkey=secret', '/announce'],
  ['/announce/KEY', '/announce/***'],
  ['/x/scrape.php/a/b', '/x/scrape.php/***'],
  ['/0123456789abcdef0123/announce', '/***/announce'],
  ['/a/health_check', '/a/health_check'],
])('messages show the path %s as %s', (path, shown) => {
  expect(shownPath(path)).toBe(shown)
})

test.each([
  ['http://a:7070', 'http://a:7070/announce?x=1'],
  ['http://a:7070/announce?k=%f2', 'http://a:7070/announce?k=%f2&x=1'],
  // None of these leads to another host.
  ['http://a:7070//announce', 'http://a:7070//announce?x=1'],
  ['https://a//b.invalid:1/announce', 'https://a//b.invalid:1/announce?x=1'],
  ['http://a//[/announce', 'http://a//[/announce?x=1'],
])('the tracker %s is asked at %s', (text, asked) => {
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') throw new Error(url)
  expect(requestUrl(url, 'announce', 'x=1').href).toBe(asked)
})
