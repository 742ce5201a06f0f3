/**
 * Requests to the management API and their answers, byte for byte; the ids in the names are those of
 * docs/behaviours.md. They hold, in this order, for any tracker with the token `MyAccessToken`, an empty SQLite
 * database and an empty swarm: some depend on what earlier ones did. Texts are those of schema 2.0.0.
 */
import type { SchemaVersion } from '../../../src/config/model.ts'

export const TOKEN = 'MyAccessToken'

export type Case = {
  readonly name: string
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly status: number
  /** Content type; absent = none, and an empty body. */
  readonly type?: string
  readonly expected?: string | RegExp
  /** The body in schema 3.0.0, where it differs. */
  readonly newer?: string | RegExp
  readonly allow?: string
  /** `www-authenticate`. */
  readonly challenge?: string
}

type Outcome = Pick<Case, 'status' | 'type' | 'expected' | 'newer'>

/** The body of a tracker whose configuration has that schema. */
export const expectedIn = (schema: SchemaVersion, { expected = '', newer }: Case) =>
  schema === '2.0.0' ? expected : (newer ?? expected)

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const KEY_TYPE = 'application/json; charset=utf-8'
const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'
const OTHER = '9c38422213e30bff212b30c360d26f9a02136422'
const KEY = '0123456789abcdefghijklmnopqrstuv'
const PROTECTED = { 'content-type': JSON_TYPE }

const rejected = (reason: string) => ({
  status: 500,
  type: TEXT,
  expected: `Unhandled rejection: Err { reason: "${reason}" }`,
})
const UNAUTHORIZED = rejected('unauthorized')
const NOT_VALID = rejected('token not valid')
const NOT_FOUND = { status: 404 }
const okJson = (expected: string) => ({ status: 200, type: JSON_TYPE, expected })
const DONE = okJson('{"status":"ok"}')
const bad = (expected: string) => ({ status: 400, type: TEXT, expected })
const badQuery = (detail: string) => bad(`Failed to deserialize query string: ${detail}`)
const badHash = (value: string) =>
  bad(`Invalid URL: invalid infohash param: string "${value}", expected a 40 character long string`)
const unprocessable = (detail: string) => ({
  status: 422,
  type: TEXT,
  expected: `Failed to deserialize the JSON body into the target type: ${detail}`,
})
const NO_JSON = {
  status: 400,
  type: TEXT,
  expected: /^Failed to parse the request body as JSON: ./,
}
/** Outside `/api/v1`. */
const plain = (status: number, reason: string) => ({
  status,
  type: JSON_TYPE,
  expected: `{"status":"err","reason":"${reason}"}`,
})

/** `&token=` or `?token=` behind a path. */
export const withToken = (path: string): string =>
  `${path}${path.includes('?') ? '&' : '?'}token=${TOKEN}`

/** A request with a token. */
const send = (method: string, path: string, name: string, outcome: Outcome): Case => ({
  name,
  method,
  path: withToken(path),
  ...outcome,
})
const get = (path: string, name: string, outcome: Outcome): Case => ({
  name,
  path: withToken(path),
  ...outcome,
})

const OPERATIONS: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/api/v1/stats'],
  ['GET', '/api/v1/torrents'],
  ['GET', `/api/v1/torrent/${HASH}`],
  ['POST', `/api/v1/whitelist/${HASH}`],
  ['DELETE', `/api/v1/whitelist/${HASH}`],
  ['GET', '/api/v1/whitelist/reload'],
  ['GET', '/api/v1/whitelist'],
  ['POST', '/api/v1/whitelist/bulk'],
  ['DELETE', '/api/v1/whitelist/bulk'],
  ['POST', '/api/v1/keys'],
  ['GET', '/api/v1/keys'],
  ['GET', '/api/v1/keys/reload'],
  ['POST', '/api/v1/keys/bulk'],
  ['DELETE', '/api/v1/keys/bulk'],
  ['POST', '/api/v1/key/60'],
  ['DELETE', `/api/v1/key/${KEY}`],
  ['GET', '/api/v1/bans'],
  ['DELETE', '/api/v1/bans'],
  ['DELETE', '/api/v1/bans/192.0.2.1'],
  // Unknown paths and wrong methods are not told apart from known ones either.
  ['GET', '/api/v1/nothing'],
  ['PUT', '/api/v1/stats'],
  ['GET', '/api/v1/torrent/'],
  ['GET', '/api/v1/torrent/%ff'],
  ['OPTIONS', '/api/v1/stats'],
]

const authentication: readonly Case[] = [
  ...OPERATIONS.flatMap(([method, path]) => [
    { name: `A3: ${method} ${path} without a token`, method, path, ...UNAUTHORIZED },
    {
      name: `A3: ${method} ${path} with an empty token`,
      method,
      path: `${path}?token=`,
      ...NOT_VALID,
    },
    {
      name: `A3: ${method} ${path} with a wrong token`,
      method,
      path: `${path}?token=wrong`,
      ...NOT_VALID,
    },
  ]),
  ...[
    ['in the query', '/api/v1/keys/reload?token=MyAccessToken', undefined, DONE],
    ['first in the query', '/api/v1/keys/reload?token=MyAccessToken&a=b', undefined, DONE],
    ['last in the query', '/api/v1/keys/reload?a=b&token=MyAccessToken', undefined, DONE],
    [
      'with its name and value escaped',
      '/api/v1/keys/reload?%74oken=My%41ccessToken',
      undefined,
      DONE,
    ],
    ['as the bearer', '/api/v1/keys/reload', 'Bearer MyAccessToken', DONE],
    [
      'as the bearer, over a wrong one in the query',
      '/api/v1/keys/reload?token=x',
      'Bearer MyAccessToken',
      DONE,
    ],
    [
      'of a wrong bearer, over the right one in the query',
      '/api/v1/keys/reload?token=MyAccessToken',
      'Bearer x',
      NOT_VALID,
    ],
    ['of a bearer with nothing', '/api/v1/keys/reload', 'Bearer', NOT_VALID],
    [
      'of a bearer in small letters',
      '/api/v1/keys/reload',
      'bearer MyAccessToken',
      rejected('unknown token provided'),
    ],
    [
      'of another scheme',
      '/api/v1/keys/reload',
      'Basic MyAccessToken',
      rejected('unknown token provided'),
    ],
    [
      'in the query, beside a scheme of a proxy',
      '/api/v1/keys/reload?token=MyAccessToken',
      'Basic eDp5',
      DONE,
    ],
    ['longer by one', '/api/v1/keys/reload?token=MyAccessTokenn', undefined, NOT_VALID],
    ['shorter by one', '/api/v1/keys/reload?token=MyAccessToke', undefined, NOT_VALID],
    ['in other letters', '/api/v1/keys/reload?token=myaccesstoken', undefined, NOT_VALID],
    [
      'in a parameter of another name',
      '/api/v1/keys/reload?Token=MyAccessToken',
      undefined,
      UNAUTHORIZED,
    ],
    [
      'twice',
      '/api/v1/keys/reload?token=MyAccessToken&token=MyAccessToken',
      undefined,
      badQuery('duplicate field `token`'),
    ],
  ].map(([name, path, authorization, outcome]) => ({
    name: `A2, A3: the token ${name}`,
    path: path as string,
    ...(authorization !== undefined && { headers: { authorization: authorization as string } }),
    ...(outcome as Pick<Case, 'status' | 'type' | 'expected'>),
  })),
]

const outside: readonly Case[] = [
  {
    name: 'A30: what this is',
    path: '/',
    status: 200,
    type: JSON_TYPE,
    expected:
      /^\{"name":"tracker","version":"[^"]+","api":"\/api\/v1","openapi":"\/api\/openapi\.json"\}$/,
  },
  {
    name: 'A29: the OpenAPI document',
    path: '/api/openapi.json',
    status: 200,
    type: JSON_TYPE,
    expected: /^\{"openapi":"3\.1\.0",/,
  },
  ...['', '?token=x'].map((query) => ({
    name: `A9: health${query}`,
    path: `/api/health_check${query}`,
    status: 200,
    type: JSON_TYPE,
    expected: '{"status":"Ok"}',
  })),
  ...(
    [
      ['GET', '/x'],
      ['GET', '/health_check'],
      ['GET', '/api'],
      ['GET', '/api/health_check/'],
      ['POST', '/api/health_check'],
      ['POST', '/?a=/api/v1/keys'],
    ] as const
  ).flatMap(([method, path]) => [
    {
      name: `A30: ${method} ${path} without a token`,
      method,
      path,
      challenge: 'Bearer',
      ...plain(401, 'unauthorized'),
    },
    {
      name: `A30: ${method} ${path} with a wrong token`,
      method,
      path,
      headers: { authorization: 'Bearer x' },
      challenge: 'Bearer',
      ...plain(401, 'token not valid'),
    },
  ]),
  {
    name: 'A30: a token twice',
    path: '/x?token=MyAccessToken&token=',
    ...plain(400, 'Failed to deserialize query string: duplicate field `token`'),
  },
  ...['/', '/api/health_check', '/api/openapi.json'].map((path) => ({
    name: `A30: POST ${path} is not allowed`,
    method: 'POST',
    path: withToken(path),
    ...plain(405, 'method not allowed'),
    allow: 'GET,HEAD',
  })),
  ...[
    '/x',
    '/api',
    '/api/',
    '/api/v1',
    '/api/v2/stats',
    '/api/health_check/',
    '/health_check',
    '//api/v1/stats',
    '/api//v1/stats',
    '/API/v1/stats',
    '/api%2Fv1/stats',
  ].map((path) => get(path, `A30: nothing at ${path}`, plain(404, 'not found'))),
]

const routing: readonly Case[] = [
  ...[
    '/api/v1/',
    '/api/v1/stats/',
    '/api/v1/Stats',
    '/api/v1/st%61ts',
    '/api/v1/../v1/stats',
    '/api/v1/./stats',
    '/api/v1/%2e%2e/v1/stats',
    '/api\\v1\\stats',
    '/api/v1/stats;a=b',
    '/api/v1/stats/x',
    '/api/v1/torrents/',
    '/api/v1/torrent',
    '/api/v1/torrent/',
    `/api/v1/torrent/${HASH}/`,
    `/api/v1/torrent/${HASH}/x`,
    `/api/v1/torrent//${HASH}`,
    '/api/v1/torrent/%20',
    '/api/v1/torrent/%20%09',
    '/api/v1/key',
    '/api/v1/keys/',
    '/api/v1/keys/reload/',
    '/api/v1/whitelist/',
    '/api/v1/metric',
    '/api/v1/bans/',
    '/api/v1/bans/2001:db8::/64',
  ].map((path) => get(path, `nothing at ${path}`, NOT_FOUND)),
  ...(
    [
      ['POST', '/api/v1/stats', 'GET,HEAD'],
      ['PUT', '/api/v1/stats', 'GET,HEAD'],
      ['DELETE', '/api/v1/torrents', 'GET,HEAD'],
      ['OPTIONS', '/api/v1/torrents', 'GET,HEAD'],
      ['TRACE', '/api/v1/torrents', 'GET,HEAD'],
      ['PATCH', `/api/v1/torrent/${HASH}`, 'GET,HEAD'],
      ['GET', `/api/v1/whitelist/${HASH}`, 'POST,DELETE'],
      ['HEAD', `/api/v1/whitelist/${HASH}`, 'POST,DELETE'],
      ['PUT', `/api/v1/whitelist/${HASH}`, 'POST,DELETE'],
      ['POST', '/api/v1/whitelist/reload', 'GET,HEAD'],
      ['DELETE', '/api/v1/whitelist/reload', 'GET,HEAD'],
      ['GET', '/api/v1/whitelist/bulk', 'POST,DELETE'],
      ['POST', '/api/v1/whitelist', 'GET,HEAD'],
      ['PUT', '/api/v1/keys', 'POST,GET,HEAD'],
      ['DELETE', '/api/v1/keys', 'POST,GET,HEAD'],
      ['POST', '/api/v1/keys/reload', 'GET,HEAD'],
      ['DELETE', '/api/v1/keys/reload', 'GET,HEAD'],
      ['GET', '/api/v1/keys/bulk', 'POST,DELETE'],
      ['GET', '/api/v1/key/60', 'POST,PUT,DELETE'],
      ['PUT', '/api/v1/account/60', 'GET,HEAD,PATCH,DELETE'],
      ['GET', '/api/v1/account/60/adjust', 'POST'],
      ['GET', `/api/v1/user/60/token/${HASH}`, 'PUT,DELETE'],
      ['POST', '/api/v1/bans', 'GET,HEAD,DELETE'],
      ['GET', '/api/v1/bans/192.0.2.1', 'DELETE'],
    ] as const
  ).map(([method, path, allow]) => ({
    name: `${method} ${path} is not allowed`,
    method,
    path: withToken(path),
    status: 405,
    allow,
  })),
]

const stats: readonly Case[] = [
  {
    name: 'M1: stats of an empty tracker, in the order of their fields',
    path: withToken('/api/v1/stats'),
    status: 200,
    type: JSON_TYPE,
    expected:
      /^\{"torrents":0,"seeders":0,"completed":0,"completed_in_session":0,"completed_persisted":0,"completed_persisted_enabled":(true|false),"leechers":0,"tcp4_connections_handled":0,"tcp4_announces_handled":0,"tcp4_scrapes_handled":0,"tcp6_connections_handled":0,"tcp6_announces_handled":0,"tcp6_scrapes_handled":0,"udp_requests_discarded":0,"udp_requests_aborted":0,"udp_requests_banned":0,"udp_banned_ips_total":0,"udp_avg_connect_processing_time_ns":0,"udp_avg_announce_processing_time_ns":0,"udp_avg_scrape_processing_time_ns":0,"udp4_requests":0,"udp4_connections_handled":0,"udp4_announces_handled":0,"udp4_scrapes_handled":0,"udp4_responses":0,"udp4_errors_handled":0,"udp6_requests":0,"udp6_connections_handled":0,"udp6_announces_handled":0,"udp6_scrapes_handled":0,"udp6_responses":0,"udp6_errors_handled":0,"announces_refused_full":0\}$/,
  },
  {
    name: 'stats as json',
    path: withToken('/api/v1/stats?format=json'),
    status: 200,
    type: JSON_TYPE,
    expected: /^\{"torrents":0,/,
  },
  {
    name: 'stats for Prometheus',
    path: withToken('/api/v1/stats?format=prometheus'),
    status: 200,
    type: 'text/plain; version=0.0.4',
    expected:
      /^torrents 0\nseeders 0\ncompleted 0\ncompleted_in_session 0\ncompleted_persisted 0\ncompleted_persisted_enabled [01]\nleechers 0\n(\w+ 0\n){25}announces_refused_full 0$/,
  },
  get(
    '/api/v1/stats?format=XML',
    'stats in another format',
    badQuery('unknown variant `XML`, expected `json` or `prometheus`'),
  ),
]

const badPage = (name: string, detail: string) => ({
  ...badQuery(detail),
  newer: badQuery(`${name}: ${detail}`).expected,
})
const torrents: readonly Case[] = [
  get('/api/v1/torrents', 'no torrents', okJson('[]')),
  get(`/api/v1/torrent/${HASH}`, 'A12: an unknown torrent', okJson('"torrent not known"')),
  get(
    `/api/v1/torrent/${HASH.toUpperCase()}`,
    'A12: an unknown torrent in capitals',
    okJson('"torrent not known"'),
  ),
  get(
    `/api/v1/torrents?info_hash=${HASH}&info_hash=${HASH}`,
    'unknown torrents by name',
    okJson('[]'),
  ),
  ...['offset', 'limit'].flatMap((name) =>
    [
      ...[
        '%20',
        '+',
        '-1',
        '1.1',
        'INVALID',
        '%2B',
        '1%20',
        '0x10',
        '%C3%A9',
        '%EF%BC%91',
        '42949x',
      ].map((value) => [value, badPage(name, 'invalid digit found in string')] as const),
      ...['4294967296', '99999999999999999999'].map(
        (value) => [value, badPage(name, 'number too large to fit in target type')] as const,
      ),
      ...['', '0', '4294967295', '00000000000001', '%2B1'].map(
        (value) => [value, okJson('[]')] as const,
      ),
    ].map(([value, outcome]) =>
      get(`/api/v1/torrents?${name}=${value}`, `A15: torrents?${name}=${value}`, outcome),
    ),
  ),
  ...(
    [
      ['', ''],
      ['%20', ' '],
      ['-1', '-1'],
      ['1.1', '1.1'],
      ['INVALID', 'INVALID'],
      [HASH.slice(1), HASH.slice(1)],
      [`${HASH}0`, `${HASH}0`],
      [`g${HASH.slice(1)}`, `g${HASH.slice(1)}`],
      ['%22%0A%5C', '"\n\\'],
      ['%ff', '\ufffd'],
      [`${HASH}&info_hash=x`, 'x'],
      [`${HASH},x`, 'x'],
    ] as const
  ).map(([value, shown]) =>
    get(`/api/v1/torrents?info_hash=${value}`, `A10: torrents?info_hash=${value}`, badHash(shown)),
  ),
  ...['info_hash', 'seeders', 'leechers', 'completed', 'peers'].map((sort) =>
    get(`/api/v1/torrents?sort=${sort}`, `A41: torrents?sort=${sort}`, okJson('[]')),
  ),
  ...['', 'growth', 'Peers'].map((sort) =>
    get(
      `/api/v1/torrents?sort=${sort}`,
      `A41: torrents?sort=${sort}`,
      badQuery(
        `unknown variant \`${sort}\`, expected one of \`info_hash\`, \`seeders\`, \`leechers\`, \`completed\`, \`peers\``,
      ),
    ),
  ),
]

const BAD_PARAMETERS = [
  ['0', '0'],
  ['-1', '-1'],
  ['1.1', '1.1'],
  ['INVALID%20INFO%20HASH', 'INVALID INFO HASH'],
  [HASH.slice(1), HASH.slice(1)],
  [`${HASH.slice(1)}&`, `${HASH.slice(1)}&`],
  ['a+b', 'a+b'],
  ['a%2Fb', 'a/b'],
  ['%00', '\0'],
  ['%C3%A9', 'é'],
  ['%ff', '\ufffd'],
] as const
const invalidHashes: readonly Case[] = (
  [
    ['GET', '/api/v1/torrent/'],
    ['POST', '/api/v1/whitelist/'],
    ['DELETE', '/api/v1/whitelist/'],
  ] as const
).flatMap(([method, path]) => [
  ...BAD_PARAMETERS.map(([sent, shown]) =>
    send(method, path + sent, `A10: ${method} ${path}${sent}`, badHash(shown)),
  ),
  ...['', '%20', '%09', '%20%20'].map((sent) =>
    send(method, path + sent, `A5: ${method} ${path}${sent}`, NOT_FOUND),
  ),
])

const jsonCase = (
  method: string,
  path: string,
  name: string,
  body: string,
  outcome: Outcome,
): Case => ({ name, method, path: withToken(path), headers: PROTECTED, body, ...outcome })
const bulk = (method: string, name: string, body: string, outcome: Outcome) =>
  jsonCase(method, '/api/v1/whitelist/bulk', name, body, outcome)
const counted = (count: number) => okJson(`{"status":"ok","count":${count}}`)
const listed = (...hashes: string[]) =>
  get('/api/v1/whitelist', `the whitelist has ${hashes.length}`, okJson(JSON.stringify(hashes)))

const badAddress = (value: string) =>
  bad(
    `Invalid URL: invalid address: string "${value}", expected an IPv4 address, an IPv6 address or its /64`,
  )
const bans: readonly Case[] = [
  get('/api/v1/bans', 'A40: there are no bans', okJson('[]')),
  get('/api/v1/bans?offset=1&limit=', 'A40: nor behind the first', okJson('[]')),
  get(
    '/api/v1/bans?limit=-1',
    'A40: bans with a bad limit',
    badPage('limit', 'invalid digit found in string'),
  ),
  send('DELETE', '/api/v1/bans', 'A40: lifting all bans', counted(0)),
  ...['192.0.2.1', '::1', '2001:db8:1:2::%2F64', '::ffff:192.0.2.1'].map((address) =>
    send('DELETE', `/api/v1/bans/${address}`, `A40: lifting ${address}`, counted(0)),
  ),
  ...(
    [
      ['example', 'example'],
      ['192.0.2.256', '192.0.2.256'],
      ['192.0.2.1%2F64', '192.0.2.1/64'],
      ['::%2F63', '::/63'],
      ['fe80::1%25eth0', 'fe80::1%eth0'],
      ['1'.repeat(200), `${'1'.repeat(100)}...`],
    ] as const
  ).map(([sent, shown]) =>
    send('DELETE', `/api/v1/bans/${sent}`, `A40: lifting ${sent}`, badAddress(shown)),
  ),
  send('DELETE', '/api/v1/bans/%20', 'A40: lifting a blank', NOT_FOUND),
]

const whitelist: readonly Case[] = [
  listed(),
  send('POST', `/api/v1/whitelist/${HASH.toUpperCase()}`, 'A23: adding', DONE),
  send('POST', `/api/v1/whitelist/${HASH}`, 'A23: adding twice', DONE),
  listed(HASH),
  get('/api/v1/whitelist/reload', 'A24: reloading', DONE),
  listed(HASH),
  send('DELETE', `/api/v1/whitelist/${HASH}`, 'A23: removing', DONE),
  send('DELETE', `/api/v1/whitelist/${HASH}`, 'A23: removing an absent info hash', DONE),
  listed(),
  bulk(
    'POST',
    'adding many',
    `{"info_hashes":["${OTHER}","${HASH.toUpperCase()}","${HASH}"]}`,
    counted(3),
  ),
  listed(HASH, OTHER),
  get('/api/v1/whitelist?offset=1', 'the whitelist from the second on', okJson(`["${OTHER}"]`)),
  get('/api/v1/whitelist?limit=1', 'the first of the whitelist', okJson(`["${HASH}"]`)),
  get('/api/v1/whitelist?limit=0', 'none of the whitelist', okJson('[]')),
  get(
    '/api/v1/whitelist?limit=x',
    'the whitelist with a bad limit',
    badPage('limit', 'invalid digit found in string'),
  ),
  bulk(
    'DELETE',
    'removing many with mistakes among them',
    `{"info_hashes":["${HASH}","x","${OTHER}",""]}`,
    bad(
      'Invalid URL: nothing was done: info_hashes[1]: invalid infohash param: string "x", expected a 40 character long string; info_hashes[3]: invalid infohash param: string "", expected a 40 character long string',
    ),
  ),
  listed(HASH, OTHER),
  bulk('DELETE', 'removing many', `{"info_hashes":["${HASH}","${OTHER}","${HASH}"]}`, counted(3)),
  listed(),
  bulk('POST', 'adding none', '{"info_hashes":[]}', counted(0)),
  bulk(
    'POST',
    'a list with a number',
    `{"info_hashes":["${HASH}",5]}`,
    unprocessable('info_hashes[1]: invalid type: integer `5`, expected a string'),
  ),
  bulk('POST', 'no list at all', '{}', unprocessable('missing field `info_hashes`')),
  bulk(
    'POST',
    'two lists',
    '{"info_hashes":[],"info_hashes":[]}',
    unprocessable('duplicate field in an object'),
  ),
  bulk(
    'POST',
    'something else',
    '{"info_hashes":"x"}',
    unprocessable('info_hashes: invalid type: string "x", expected a sequence'),
  ),
  bulk('POST', 'half a list', `{"info_hashes":["${HASH}"`, NO_JSON),
  listed(),
]

const resource = (key: string, seconds: 'expires' | 'permanent') =>
  seconds === 'permanent'
    ? `{"key":"${key}","valid_until":null,"expiry_time":null}`
    : new RegExp(
        `^\\{"key":"${key}","valid_until":\\d+,"expiry_time":"\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d{3})? UTC"\\}$`,
      )
const created = (expected: string | RegExp) => ({ status: 200, type: KEY_TYPE, expected })
const ANY_KEY = '[0-9A-Za-z]{32}'
const post = (name: string, body: string, outcome: Outcome) =>
  jsonCase('POST', '/api/v1/keys', name, body, outcome)
const LENGTH = 'Invalid key length. Key must be have 32 chars'
const CHARACTERS = 'Invalid chars for key. Key can only alphanumeric chars (0-9, a-z, A-Z)'
const badKey = (key: string, reason: string) =>
  bad(`Invalid URL: invalid auth key: string "${key}", ${reason}`)
const badId = (key: string) => bad(`Invalid auth key id param "${key}"`)
const badDuration = (seconds: string) => bad(`Invalid URL: invalid auth key duration: "${seconds}"`)

const keyBodies: readonly Case[] = (
  [
    ['', NO_JSON],
    ['{', NO_JSON],
    ['nul', NO_JSON],
    ['{"key":null,"seconds_valid":1', NO_JSON],
    ['{"key":null,"seconds_valid":1} x', NO_JSON],
    ['{"key":null,"seconds_valid":01}', NO_JSON],
    ['{"key":"\n","seconds_valid":1}', NO_JSON],
    ['null', unprocessable('invalid type: null, expected struct AddKeyForm')],
    ['5', unprocessable('invalid type: integer `5`, expected struct AddKeyForm')],
    ['true', unprocessable('invalid type: boolean `true`, expected struct AddKeyForm')],
    ['"a\\"b"', unprocessable('invalid type: string "a\\"b", expected struct AddKeyForm')],
    // A list of the two values makes no key: [null,null] would make one that never expires.
    ['[null,null]', unprocessable('invalid type: sequence, expected struct AddKeyForm')],
    [`["${KEY}",60]`, unprocessable('invalid type: sequence, expected struct AddKeyForm')],
    ['{}', unprocessable('missing field `key`')],
    ['{"key":null}', unprocessable('missing field `seconds_valid`')],
    ['{"seconds_valid":60}', unprocessable('missing field `key`')],
    ['{"__proto__":{"key":null,"seconds_valid":1}}', unprocessable('missing field `key`')],
    ['{"key":null,"key":null,"seconds_valid":1}', unprocessable('duplicate field in an object')],
    [
      '{"key":5,"seconds_valid":1}',
      unprocessable('key: invalid type: integer `5`, expected a string'),
    ],
    [
      '{"key":[],"seconds_valid":1}',
      unprocessable('key: invalid type: sequence, expected a string'),
    ],
    ['{"key":{},"seconds_valid":1}', unprocessable('key: invalid type: map, expected a string')],
    ...(
      [
        ['"-1"', 'string "-1"'],
        ['"text"', 'string "text"'],
        ['-1', 'integer `-1`'],
        ['-9223372036854775809', 'integer `-9223372036854775809`'],
        ['1.5', 'floating point `1.5`'],
        ['18446744073709551616', 'integer `18446744073709551616`'],
        ['1e999', 'floating point `Infinity`'],
      ] as const
    ).map(
      ([seconds, shown]) =>
        [
          `{"key":null,"seconds_valid":${seconds}}`,
          unprocessable(`seconds_valid: invalid type: ${shown}, expected u64`),
        ] as const,
    ),
  ] as const
).map(([body, outcome]) => post(`A19: a key of ${JSON.stringify(body)}`, body, outcome))

const keys: readonly Case[] = [
  get('/api/v1/keys', 'no keys', created('[]')),
  post(
    'A18: a generated key',
    '{"key":null,"seconds_valid":60}',
    created(resource(ANY_KEY, 'expires')),
  ),
  post(
    'a generated key for ever',
    '{"key":null,"seconds_valid":null}',
    created(/^\{"key":"[0-9A-Za-z]{32}","valid_until":null,"expiry_time":null\}$/),
  ),
  post(
    'A18: a given key',
    `{"key":"${KEY}","seconds_valid":60}`,
    created(resource(KEY, 'expires')),
  ),
  post('a given key again', `{"key":"${KEY}","seconds_valid":60}`, {
    status: 500,
    type: TEXT,
    expected: /^Unhandled rejection: Err \{ reason: "failed to generate key: .*" \}$/,
    newer: /^Unhandled rejection: Err \{ reason: "failed to add key: .*" \}$/,
  }),
  get('/api/v1/keys/reload', 'A22: reloading', DONE),
  send('DELETE', `/api/v1/key/${KEY}`, 'A21: deleting', DONE),
  send(
    'DELETE',
    `/api/v1/key/${KEY}`,
    'deleting an absent key',
    rejected('failed to delete key: Failed to remove record from Sqlite3 database, error-code: 0'),
  ),
  post(
    'A7: a given key for ever, and unknown members',
    `{"a":[{"b":"\\u00e9\\n:"},[[]],-1.5e3,true],"key":"${KEY}","seconds_valid":null,"":{}}`,
    created(resource(KEY, 'permanent')),
  ),
  send('DELETE', `/api/v1/key/%30${KEY.slice(1)}`, 'deleting it', DONE),
  ...keyBodies,
  ...(
    [
      ['-1', LENGTH],
      ['invalid', LENGTH],
      [KEY.slice(1), LENGTH],
      [`${KEY}0`, LENGTH],
      ['', LENGTH],
      [`%${KEY.slice(1)}`, CHARACTERS],
      [`é${KEY.slice(2)}`, CHARACTERS],
      [`é${KEY.slice(1)}`, LENGTH],
    ] as const
  ).map(([key, reason]) =>
    post(`A19: the key ${key}`, JSON.stringify({ key, seconds_valid: 60 }), badKey(key, reason)),
  ),
  post(
    'A19: the longest time of 64 bits',
    '{"key":null,"seconds_valid":18446744073709551615}',
    badDuration('18446744073709551615'),
  ),
  post(
    'A19: a time too long by a second',
    '{"key":null,"seconds_valid":8200000000001}',
    badDuration('8200000000001'),
  ),
  post(
    'A18: the longest time',
    '{"key":null,"seconds_valid":8200000000000}',
    created(/^\{"key":"[0-9A-Za-z]{32}","valid_until":820\d{10},"expiry_time":"\+261\d{3}-/),
  ),
  ...[
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'text/json',
    'json',
    'application/jsonx',
    '',
  ].map((type) => ({
    name: `a key of the type ${type}`,
    method: 'POST',
    path: withToken('/api/v1/keys'),
    ...(type !== undefined && { headers: { 'content-type': type } }),
    body: '{"key":null,"seconds_valid":60}',
    status: 415,
    type: TEXT,
    expected: 'Expected request with `Content-Type: application/json`',
  })),
  ...['application/json; charset=utf-8', 'Application/JSON', 'application/vnd.api+json'].map(
    (type) => ({
      name: `a body of the type ${type}`,
      method: 'POST',
      path: withToken('/api/v1/keys'),
      headers: { 'content-type': type },
      body: '{}',
      ...unprocessable('missing field `key`'),
    }),
  ),
  ...(
    [
      ['0', '0'],
      ['-1', '-1'],
      ['INVALID%20AUTH%20KEY%20WITH%20SPACES', 'INVALID AUTH KEY WITH SPACES'],
      [KEY.slice(1), KEY.slice(1)],
      [`${KEY}0`, `${KEY}0`],
    ] as const
  ).map(([sent, shown]) =>
    send('DELETE', `/api/v1/key/${sent}`, `A21: deleting ${sent}`, badId(shown)),
  ),
  send(
    'POST',
    '/api/v1/key/60',
    'A20: a generated key by path',
    created(resource(ANY_KEY, 'expires')),
  ),
  send(
    'POST',
    '/api/v1/key/+060',
    'A20: a generated key by path, with a sign',
    created(resource(ANY_KEY, 'expires')),
  ),
  send(
    'POST',
    '/api/v1/key/18446744073709551615',
    'a generated key by path for too long',
    badDuration('18446744073709551615'),
  ),
  ...(
    [
      ['-1', '-1', '-1'],
      ['text', 'text', 'text'],
      ['18446744073709551616', '18446744073709551616', '18446744073709551616'],
      ['1.5', '1.5', '1.5'],
      ['a%22%5C%0Ab', 'a\\"\\\\\\nb', 'a"\\\nb'],
      ['a%00%1B', 'a\\0\\u{1b}', 'a\0\x1b'],
    ] as const
  ).map(([sent, shown, bare]) => ({
    name: `A20: a generated key for ${sent} seconds`,
    method: 'POST',
    path: withToken(`/api/v1/key/${sent}`),
    ...bad(`Invalid URL: Cannot parse \`"${shown}"\` to a \`u64\``),
    newer: `Invalid URL: Cannot parse \`${bare}\` to a \`u64\``,
  })),
  jsonCase(
    'POST',
    '/api/v1/keys/bulk',
    'many keys',
    `{"keys":[{"key":"${KEY}","seconds_valid":60},{"key":"${KEY.toUpperCase()}","seconds_valid":null}]}`,
    created(
      /^\[\{"key":"0123456789abcdefghijklmnopqrstuv","valid_until":\d+,.*\},\{"key":"0123456789ABCDEFGHIJKLMNOPQRSTUV","valid_until":null,"expiry_time":null\}\]$/,
    ),
  ),
  jsonCase(
    'POST',
    '/api/v1/keys/bulk',
    'many keys with mistakes among them',
    `{"keys":[{"key":null,"seconds_valid":60},{"key":"x","seconds_valid":60},{"key":null,"seconds_valid":18446744073709551615}]}`,
    bad(
      `Invalid URL: nothing was done: keys[1].key: invalid auth key: string "x", ${LENGTH}; keys[2].seconds_valid: invalid auth key duration: "18446744073709551615"`,
    ),
  ),
  jsonCase(
    'POST',
    '/api/v1/keys/bulk',
    'a form without a field among many',
    '{"keys":[{"key":null,"seconds_valid":1},{"key":null}]}',
    unprocessable('keys[1]: missing field `seconds_valid`'),
  ),
  jsonCase(
    'POST',
    '/api/v1/keys/bulk',
    'a form of another type among many',
    '{"keys":[{"key":null,"seconds_valid":"x"}]}',
    unprocessable('keys[0].seconds_valid: invalid type: string "x", expected u64'),
  ),
  jsonCase('POST', '/api/v1/keys/bulk', 'no keys to add', '{"keys":[]}', created('[]')),
  jsonCase(
    'DELETE',
    '/api/v1/keys/bulk',
    'deleting many with a mistake',
    `{"keys":["${KEY}","x"]}`,
    bad(`Invalid URL: nothing was done: keys[1]: invalid auth key: string "x", ${LENGTH}`),
  ),
  jsonCase(
    'DELETE',
    '/api/v1/keys/bulk',
    'deleting many',
    `{"keys":["${KEY}","${KEY.toUpperCase()}","${'0'.repeat(32)}"]}`,
    counted(2),
  ),
  jsonCase('DELETE', '/api/v1/keys/bulk', 'deleting none', '{"keys":[]}', counted(0)),
]

export const CASES: readonly Case[] = [
  ...authentication,
  ...outside,
  ...routing,
  ...stats,
  ...torrents,
  ...invalidHashes,
  ...whitelist,
  ...bans,
  ...keys,
]

/**
 * Requests that fail when the tables are missing, or without a database: behaviour, method, path, body, and the
 * beginning of the reason, in schema 2.0.0 and, where it differs, in 3.0.0.
 */
export const NEEDS_DATABASE: readonly (readonly [
  id: string,
  method: string,
  path: string,
  body: string | undefined,
  reason: string,
  newer?: string,
])[] = [
  ['A23', 'POST', `/api/v1/whitelist/${HASH}`, undefined, 'failed to whitelist torrent'],
  [
    'A23',
    'DELETE',
    `/api/v1/whitelist/${HASH}`,
    undefined,
    'failed to remove torrent from whitelist',
  ],
  ['A24', 'GET', '/api/v1/whitelist/reload', undefined, 'failed to reload whitelist'],
  [
    'A18',
    'POST',
    '/api/v1/keys',
    '{"key":null,"seconds_valid":60}',
    'failed to generate key',
    'failed to add key',
  ],
  ['A21', 'DELETE', `/api/v1/key/${KEY}`, undefined, 'failed to delete key'],
  ['A22', 'GET', '/api/v1/keys/reload', undefined, 'failed to reload keys'],
  ['A20', 'POST', '/api/v1/key/60', undefined, 'failed to generate key'],
  ['A27', 'GET', '/api/v1/whitelist', undefined, 'failed to list whitelist'],
  ['A27', 'GET', '/api/v1/keys', undefined, 'failed to list keys'],
  [
    'A28',
    'POST',
    '/api/v1/whitelist/bulk',
    `{"info_hashes":["${HASH}"]}`,
    'failed to whitelist torrent',
  ],
  [
    'A28',
    'DELETE',
    '/api/v1/whitelist/bulk',
    `{"info_hashes":["${HASH}"]}`,
    'failed to remove torrent from whitelist',
  ],
  [
    'A28',
    'POST',
    '/api/v1/keys/bulk',
    '{"keys":[{"key":null,"seconds_valid":60}]}',
    'failed to generate key',
    'failed to add key',
  ],
  ['A28', 'DELETE', '/api/v1/keys/bulk', `{"keys":["${KEY}"]}`, 'failed to delete key'],
]
