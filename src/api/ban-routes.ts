/**
 * Senders of wrong connection ids in the management API (docs/behaviours.md A40): their list, and how they are
 * forgiven before the next reset. Not in the reference.
 */
import { Elysia, t } from 'elysia'
import type { Counted } from '../access/bans.ts'
import { Address } from '../bittorrent.ts'
import { finish, patiently } from '../time/turns.ts'
import { printIp, writeAddress } from '../wire/address.ts'
import { type Answer, json, okCount } from './answers.ts'
import { badUrl, echo, Failure } from './failures.ts'
import { asJson, COUNTED, describe } from './openapi.ts'
import { jsonArray } from './paging.ts'
import type { ApiParts } from './parts.ts'
import { integer, judgeText, pageQuery, queryOf, readPage, segment } from './schemas.ts'

/** Addresses printed at once. */
const BATCH = 2_000

const badAddress = (text: string): Failure =>
  badUrl(
    `invalid address: string "${echo(text)}", expected an IPv4 address, an IPv6 address or its /64`,
  )

const ADDRESS = t.String({
  pattern: '^[0-9A-Fa-f:.]+(/64)?$',
  description: 'Of IPv6 any address of the /64, or that itself (2001:db8:1:2::%2F64).',
  examples: ['192.0.2.1', '2001:db8:1:2::/64'],
  error: judgeText(badAddress),
  shownAs: {
    type: 'string',
    anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }],
  },
})
const SHOWN = t.Object(
  {
    address: t.String({ examples: ['192.0.2.1', '2001:db8:1:2::/64'] }),
    family: t.Union([t.Literal('ipv4'), t.Literal('ipv6')]),
    errors: integer({ minimum: 1 }),
    banned: t.Boolean(),
  },
  { $id: 'Ban' },
)

/** IPv6 addresses are counted by the /64. */
function print({ family, bytes, errors, banned }: Counted): string {
  const address = `${printIp(bytes, family)}${family === 6 ? '/64' : ''}`
  return `{"address":"${address}","family":"ipv${family}","errors":${errors},"banned":${banned}}`
}

function* printed(all: readonly Counted[]): Generator<readonly string[]> {
  for (let at = 0; at < all.length; at += BATCH) yield all.slice(at, at + BATCH).map(print)
}

function readAddress(text: string): Address {
  const address = new Address()
  const [ip = '', prefix] = text.split('/')
  const family = writeAddress(ip, 0, ip.length, address.bytes)
  // Of the addresses of a prefix the mapped ones are IPv4 addresses, which have none.
  if (family === 0 || (family === 4 && prefix !== undefined)) throw badAddress(text)
  address.family = family
  return address
}

/** How many addresses were forgiven. */
async function lift(attempt: () => number | undefined): Promise<Answer> {
  const count = await patiently(attempt).catch(() => {
    throw new Failure(500, 'failed to lift bans: their table stayed locked, nothing was changed')
  })
  return okCount(count)
}

export const banRoutes = ({ bans, schema }: ApiParts) =>
  new Elysia({ prefix: '/bans', tags: ['bans'] })
    .get(
      '',
      async ({ query }) => {
        const { offset, limit } = readPage(query, schema)
        return json(jsonArray(printed(await finish(bans.list(offset, limit)))))
      },
      {
        query: queryOf(pageQuery(schema)),
        detail: describe(
          'listBans',
          'Addresses that sent wrong connection ids, those with the most errors first',
          asJson(t.Array(SHOWN)),
          {
            description:
              'IPv6 addresses are counted together by /64. `banned`: more errors than the configuration allows.',
          },
        ),
      },
    )
    .delete('', () => lift(() => bans.liftAll()), {
      detail: describe('liftBans', 'Forget the errors of all addresses', COUNTED),
    })
    .delete(
      '/:address',
      ({ params }) => {
        const address = readAddress(params.address)
        return lift(() => bans.lift(address))
      },
      {
        params: t.Object({ address: segment(ADDRESS) }),
        detail: describe('liftBan', 'Forget the errors of an address', COUNTED, {
          description:
            '`count` is 0 for an address without errors, which is no mistake. The slash of a prefix is written %2F.',
        }),
      },
    )
