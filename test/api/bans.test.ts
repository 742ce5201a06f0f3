/** The senders of wrong connection ids over the management API. */
import { expect, test } from 'bun:test'
import type { Bans } from '../../src/access/bans.ts'
import { Address } from '../../src/bittorrent.ts'
import { writeSource } from '../../src/wire/address.ts'
import { askWithToken, type Serving, serve } from '../support/api/served-api.ts'
import { dechunk } from '../support/http-client.ts'

function accuse(bans: Bans, text: string, errors: number): void {
  const address = new Address()
  expect(writeSource(text, address)).toBe(true)
  for (let n = 0; n < errors; n++) bans.add(address)
}

async function list({ url }: Serving, query = '') {
  const reply = await askWithToken(url, { path: `/api/v1/bans${query}` })
  return JSON.parse(dechunk(reply).toString())
}
const lift = async ({ url }: Serving, address: string) => {
  const { status, body } = await askWithToken(url, {
    method: 'DELETE',
    path: `/api/v1/bans${address}`,
  })
  return [status, body.toString()]
}
const counted = (count: number) => [200, `{"status":"ok","count":${count}}`]

test('A40: those with the most errors come first, IPv6 by its /64, and one above the limit is banned', async () => {
  await using api = await serve()
  accuse(api.bans, '192.0.2.1', 1)
  accuse(api.bans, '2001:db8:1:2:3:4:5:6', 3)
  accuse(api.bans, '::ffff:192.0.2.9', 2)
  const all = [
    { address: '2001:db8:1:2::/64', family: 'ipv6', errors: 3, banned: true },
    { address: '192.0.2.9', family: 'ipv4', errors: 2, banned: true },
    { address: '192.0.2.1', family: 'ipv4', errors: 1, banned: false },
  ]
  expect(await list(api)).toEqual(all)
  expect(await list(api, '?offset=1&limit=1')).toEqual(all.slice(1, 2))
})

test('A40: one is lifted by any address of its /64 or by that itself, or all are', async () => {
  await using api = await serve()
  for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8:1:2::1', '2001:db8:1:3::1'])
    accuse(api.bans, address, 2)
  expect(await lift(api, '/2001:db8:1:2:ffff::9')).toEqual(counted(1))
  expect(await lift(api, '/2001:db8:1:3::%2F64')).toEqual(counted(1))
  expect(await lift(api, '/192.0.2.1')).toEqual(counted(1))
  expect(await lift(api, '/192.0.2.1')).toEqual(counted(0))
  expect((await list(api)).map(({ address }: { address: string }) => address)).toEqual([
    '192.0.2.2',
  ])
  accuse(api.bans, '192.0.2.3', 1)
  expect(await lift(api, '')).toEqual(counted(2))
  expect(await list(api)).toEqual([])
})

test('A40: a writer that stops while it has the table is waited for, and no longer than two seconds', async () => {
  await using api = await serve()
  accuse(api.bans, '192.0.2.1', 2)
  const word = new Int32Array(api.bans.memory)
  word[0] = 1
  const lifting = lift(api, '/192.0.2.1')
  // Answers while it waits: nothing is blocked.
  expect(await list(api)).toHaveLength(1)
  const why = 'failed to lift bans: their table stayed locked, nothing was changed'
  expect(await lifting).toEqual([500, `Unhandled rejection: Err { reason: "${why}" }`])
  const again = lift(api, '/192.0.2.1')
  api.bans.unlock()
  expect(await again).toEqual(counted(1))
})

test('A40: the list of a full table is complete', async () => {
  await using api = await serve()
  for (let n = 0; n < 20_000; n++) accuse(api.bans, `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, 1)
  const all: { address: string }[] = await list(api, '?limit=4294967295')
  expect(all).toHaveLength(api.bans.size)
  expect(new Set(all.map(({ address }) => address)).size).toBe(api.bans.size)
})
