/** Administration of keys and whitelist on a real database (docs/behaviours.md K7, K12–K15). */
import { describe, expect, test } from 'bun:test'
import { Access, type AccessRules, createAccessMemory } from '../../src/access/access.ts'
import { UNKNOWN } from '../../src/access/keys.ts'
import { packHashes } from '../../src/access/whitelist.ts'
import { type Database, DatabaseError, type Fault } from '../../src/database/contract.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { Log } from '../../src/log/log.ts'
import {
  EXPIRED_IN_DATABASE_SECONDS,
  EXPIRED_IN_MEMORY_MILLISECONDS,
  Permissions,
} from '../../src/storage/permissions.ts'
import { WatchedDatabase } from '../../src/storage/watched-database.ts'
import type { Deadline } from '../../src/time/deadline.ts'
import { nextTurn } from '../../src/time/turns.ts'
import { addKey, keyOf } from '../support/access/entries.ts'
import { hashes, key, texts } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'

const NOW = 1_700_000_000_123
const HOUR = EXPIRED_IN_MEMORY_MILLISECONDS
const WEEK = EXPIRED_IN_DATABASE_SECONDS * 1000

type Wishes = Partial<AccessRules> & {
  /** Makes the database behave oddly. */
  readonly around?: (database: Database) => Partial<Database>
}

/** The permissions of a private and listed tracker on an SQLite file of their own. */
async function open({ around, ...rules }: Wishes = {}) {
  const file = new SqliteFile()
  const database = await openSqlite(file.config)
  const odd = around?.(database) ?? {}
  const used = new Proxy(database, {
    get: (real, name) => {
      const method = Reflect.get(odd, name) ?? Reflect.get(real, name)
      return typeof method === 'function' ? method.bind(real) : method
    },
  })
  const memory = createAccessMemory({
    listed: true,
    private: true,
    checksExpiration: true,
    seed: Int32Array.of(1),
    whitelistCapacity: 20_000,
    keyCapacity: 20_000,
    ...rules,
  })
  const access = memory && new Access(memory, true)
  const lines: string[] = []
  const clock = {
    now: NOW,
    milliseconds: () => clock.now,
    seconds: () => Math.floor(clock.now / 1000),
  }
  const log = new Log(
    { filter: 'debug', style: 'full', colour: false },
    () => 0,
    (line) => lines.push(line),
  )
  const pace = { retryMilliseconds: 500, quietMilliseconds: 0 }
  const watched = new WatchedDatabase({ database: used, clock, log, pace })
  const permissions = new Permissions({ database: watched, access, clock, log })
  return {
    permissions,
    access,
    database,
    clock,
    lines,
    sql: (statement: string) => file.sql(statement),
    /** Reports that the database works. Resolves when everything that waited for that is done. */
    async works() {
      await watched.check()
      await permissions.listKeys(0, 1).catch(() => undefined)
      await nextTurn()
    },
    /** Numbers of info hashes below `end` that the tracker knows. */
    listed: (end = 50) =>
      Array.from({ length: end }, (_, n) => n + 1).filter((n) =>
        access?.whitelist?.has(packHashes(hashes(1, n)).words),
      ),
    validUntil: (text: string) => access?.keys?.validUntil(keyOf(text).words),
    async [Symbol.asyncDispose]() {
      await permissions[Symbol.asyncDispose]()
      await database.close()
      await file[Symbol.asyncDispose]()
    },
  }
}
const stored = async (database: Database) => texts(await database.listWhitelist(0, 1_000))
const plain = (number: number, secondsValid: bigint | null = null) => ({
  key: key(number),
  secondsValid,
})
const faultOf = (work: Promise<unknown>): Promise<Fault> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => (error instanceof DatabaseError ? error.fault : Promise.reject(error)),
  )
const lose = (fault: Fault) => () => Promise.reject(new DatabaseError(fault, 'on purpose'))

describe('K12, K13: the whitelist', () => {
  test('added hashes are in the database and in memory, removed ones in neither', async () => {
    await using its = await open()
    await its.permissions.addToWhitelist(hashes(3))
    await its.permissions.addToWhitelist(hashes(2, 3))
    expect(its.listed()).toEqual([1, 2, 3, 4])
    expect(await stored(its.database)).toEqual(texts(hashes(4)))
    expect(await its.permissions.listWhitelist(1, 2)).toEqual(hashes(2, 2))
    await its.permissions.removeFromWhitelist(hashes(1, 2))
    await its.permissions.removeFromWhitelist(hashes(1, 40))
    expect(its.listed()).toEqual([1, 3, 4])
    expect(await stored(its.database)).toEqual([1, 3, 4].flatMap((n) => texts(hashes(1, n))))
  })

  test('a reload makes it what the database holds', async () => {
    await using its = await open()
    await its.permissions.addToWhitelist(hashes(4))
    its.sql(`DELETE FROM whitelist WHERE info_hash = '${hashes(1, 2).toHex()}'`)
    its.sql(`INSERT INTO whitelist (info_hash) VALUES ('${hashes(1, 9).toHex()}')`)
    expect(its.listed()).toEqual([1, 2, 3, 4])
    await its.permissions.reloadWhitelist()
    expect(its.listed()).toEqual([1, 3, 4, 9])
  })

  test('hashes may stand anywhere in their buffer', async () => {
    await using its = await open()
    const buffer = new Uint8Array(61)
    buffer.set(hashes(3), 1)
    await its.permissions.addToWhitelist(buffer.subarray(1))
    expect(its.listed()).toEqual([1, 2, 3])
  })
})

describe('K7, K12, K13: keys', () => {
  test('are good for so many seconds from now, to the millisecond; the database keeps whole seconds', async () => {
    await using its = await open()
    const added = await its.permissions.addKeys([plain(1, 100n), plain(2), plain(3, 0n)])
    const until = BigInt(NOW) + 100_000n
    expect(added).toEqual([
      { key: key(1), expires: until },
      { key: key(2), expires: null },
      { key: key(3), expires: BigInt(NOW) },
    ])
    expect([1, 2, 3].map((n) => its.validUntil(key(n)))).toEqual([Number(until), Infinity, NOW])
    expect(await its.database.listKeys(0, 10)).toEqual([
      { key: key(1), validUntil: until / 1000n },
      { key: key(2), validUntil: null },
      { key: key(3), validUntil: BigInt(NOW) / 1000n },
    ])
    expect(await its.permissions.listKeys(0, 2)).toEqual([
      { key: key(1), expires: (until / 1000n) * 1000n },
      { key: key(2), expires: null },
    ])
    await its.permissions.reloadKeys()
    expect(its.validUntil(key(1))).toBe(Number(until / 1000n) * 1000)
  })

  test('may be valid for as long as the API allows', async () => {
    await using its = await open()
    const seconds = 8_210_266_876_799n - BigInt(NOW) / 1000n
    const [added] = await its.permissions.addKeys([plain(1, seconds)])
    expect(added!.expires! / 1000n).toBe(8_210_266_876_799n)
    expect(its.validUntil(key(1))).toBe(8_210_266_876_799_123)
  })

  test('without a name get one, and keep their place among the others', async () => {
    await using its = await open()
    const nameless = { key: null, secondsValid: 5n }
    const added = await its.permissions.addKeys([nameless, plain(1), nameless])
    expect(added[1]).toEqual({ key: key(1), expires: null })
    for (const { key: text, expires } of [added[0]!, added[2]!]) {
      expect(text).toMatch(/^[0-9A-Za-z]{32}$/)
      expect(its.validUntil(text)).toBe(Number(expires))
    }
    expect(added[0]!.key).not.toBe(added[2]!.key)
  })

  test.each([
    ['taken', [plain(2), plain(1), plain(3)]],
    ['given twice', [plain(2), plain(3), plain(2)]],
    ['taken, beside one without', [plain(1), { key: null, secondsValid: null }]],
  ])('whose name is %s clash, and none of them is added', async (_what, keys) => {
    await using its = await open()
    await its.permissions.addKeys([plain(1, 7n)])
    expect(await faultOf(its.permissions.addKeys(keys))).toBe('duplicate')
    expect((await its.database.listKeys(0, 10)).length).toBe(1)
    expect(its.validUntil(key(1))).toBe(NOW + 7_000)
    expect([2, 3].map((n) => its.validUntil(key(n)))).toEqual([UNKNOWN, UNKNOWN])
    expect(its.access!.keys!.size).toBe(1)
  })

  test('a malformed key is refused, and no message contains it', async () => {
    await using its = await open()
    const odd = 'this is no key but perhaps secret'
    const error = await its.permissions
      .addKeys([plain(1), { key: odd, secondsValid: null }])
      .catch((e) => e)
    expect([error.fault, error.message.includes(odd)]).toEqual(['invalid', false])
    expect(await its.database.listKeys(0, 10)).toEqual([])
  })

  test('that are removed are unknown at once, even if the database had lost them before', async () => {
    await using its = await open()
    await its.permissions.addKeys([plain(1), plain(2), plain(3)])
    its.sql(`DELETE FROM keys WHERE key = '${key(2)}'`)
    expect(await its.permissions.removeKeys([key(1), key(2), key(9), 'no key'])).toBe(1)
    expect([1, 2, 3].map((n) => its.validUntil(key(n)))).toEqual([UNKNOWN, UNKNOWN, Infinity])
    expect(await its.permissions.removeKeys([key(2)])).toBe(0)
  })

  test('a reload makes them what the database holds', async () => {
    await using its = await open()
    await its.permissions.addKeys([plain(1), plain(2, 9n), plain(3)])
    its.sql(`DELETE FROM keys WHERE key = '${key(1)}'`)
    its.sql(`UPDATE keys SET valid_until = 77 WHERE key = '${key(2)}'`)
    its.sql(`INSERT INTO keys (key, valid_until) VALUES ('${key(4)}', 9223372036854775807)`)
    await its.permissions.reloadKeys()
    expect([1, 2, 3].map((n) => its.validUntil(key(n)))).toEqual([UNKNOWN, 77_000, Infinity])
    expect(its.validUntil(key(4))).toBeGreaterThan(9e21)
  })
})

describe('a call that fails changes nothing', () => {
  const NOTHING_CHANGED = async (its: Awaited<ReturnType<typeof open>>) => {
    expect(its.listed()).toEqual([1, 2])
    expect([1, 2].map((n) => its.validUntil(key(n)))).toEqual([NOW + 5_000, UNKNOWN])
    expect([its.access!.whitelist!.size, its.access!.keys!.size]).toEqual([2, 1])
  }
  const deeds: Record<string, (permissions: Permissions) => Promise<unknown>> = {
    addToWhitelist: (permissions) => permissions.addToWhitelist(hashes(5)),
    removeFromWhitelist: (permissions) => permissions.removeFromWhitelist(hashes(2)),
    reloadWhitelist: (permissions) => permissions.reloadWhitelist(),
    listWhitelist: (permissions) => permissions.listWhitelist(0, 1),
    addKeys: (permissions) => permissions.addKeys([plain(2)]),
    removeKeys: (permissions) => permissions.removeKeys([key(1)]),
    reloadKeys: (permissions) => permissions.reloadKeys(),
    listKeys: (permissions) => permissions.listKeys(0, 1),
  }
  test.each(Object.keys(deeds))('%s without its table', async (name) => {
    await using its = await open()
    await its.permissions.addToWhitelist(hashes(2))
    await its.permissions.addKeys([plain(1, 5n)])
    its.sql('DROP TABLE whitelist')
    its.sql('DROP TABLE keys')
    expect(await faultOf(deeds[name]!(its.permissions))).toBe('refused')
    await NOTHING_CHANGED(its)
    const told = its.lines.join('')
    expect(told.includes('failed')).toBe(name.startsWith('reload'))
    expect(told).not.toContain(key(1))
  })

  test('a reload that breaks off in the middle', async () => {
    let broken = false
    await using its = await open({
      around: (real) => ({
        readWhitelist: async (from) =>
          broken && from > 0n ? lose('unreachable')() : await real.readWhitelist(from),
        readKeys: async (from) =>
          broken && from > 0n ? lose('late')() : await real.readKeys(from),
      }),
    })
    // More than a part of each, and nothing that is in memory.
    await its.database.addToWhitelist(hashes(12_000, 100))
    await its.database.addKeys(
      Array.from({ length: 12_000 }, (_, i) => ({ key: key(100 + i), validUntil: null })),
    )
    await its.permissions.addToWhitelist(hashes(2))
    await its.permissions.addKeys([plain(1, 5n)])
    broken = true
    expect(await faultOf(its.permissions.reloadWhitelist())).toBe('unreachable')
    expect(await faultOf(its.permissions.reloadKeys())).toBe('late')
    await NOTHING_CHANGED(its)
    expect(its.lines).toEqual([
      expect.stringContaining('ERROR PERMISSIONS: reloading the whitelist failed: on purpose'),
      expect.stringContaining('ERROR PERMISSIONS: reloading the keys failed: on purpose'),
    ])
    broken = false
    await its.permissions.reloadWhitelist()
    await its.permissions.reloadKeys()
    expect([its.access!.whitelist!.size, its.access!.keys!.size]).toEqual([12_002, 12_001])
  })

  test('more than fits in memory: the database is not changed', async () => {
    await using its = await open({ whitelistCapacity: 3, keyCapacity: 2 })
    await its.permissions.addToWhitelist(hashes(2))
    await its.permissions.addKeys([plain(1)])
    expect(await faultOf(its.permissions.addToWhitelist(hashes(2, 7)))).toBe('refused')
    expect(await faultOf(its.permissions.addKeys([plain(2), plain(3)]))).toBe('refused')
    expect([
      (await stored(its.database)).length,
      (await its.database.listKeys(0, 9)).length,
    ]).toEqual([2, 1])
    await its.database.addToWhitelist(hashes(4))
    const error = await its.permissions.reloadWhitelist().catch((e) => e)
    expect(error.message).toBe('the memory has room for 3 whitelisted torrents and no more')
    expect(its.listed()).toEqual([1, 2])
  })

  test('an unforeseen error is logged without its words', async () => {
    await using its = await open({
      around: () => ({ readKeys: () => Promise.reject(new Error(`a bug about ${key(1)}`)) }),
    })
    await expect(its.permissions.reloadKeys()).rejects.toThrow('a bug')
    expect(its.lines.join('')).toContain('reloading the keys failed: internal error')
    expect(its.lines.join('')).not.toContain(key(1))
  })
})

describe('one after the other', () => {
  test('hashes that are added before or during a reload are not lost', async () => {
    await using its = await open()
    await its.database.addToWhitelist(hashes(2_000, 100))
    await Promise.all([
      its.permissions.addToWhitelist(hashes(1, 1)),
      its.permissions.reloadWhitelist(),
      its.permissions.addToWhitelist(hashes(1, 2)),
      its.permissions.reloadWhitelist(),
      its.permissions.removeFromWhitelist(hashes(1, 1)),
      its.permissions.addToWhitelist(hashes(1, 3)),
    ])
    expect(its.listed()).toEqual([2, 3])
    expect(its.access!.whitelist!.size).toBe(2_002)
  })

  test('no operation begins before the earlier ones have ended, well or badly', async () => {
    const happened: string[] = []
    const gate = Promise.withResolvers<void>()
    await using its = await open({
      around: (real) => ({
        addToWhitelist: async () => {
          happened.push('add begins')
          await gate.promise
          happened.push('add fails')
          throw new DatabaseError('refused', 'on purpose')
        },
        listKeys: async (offset, limit) => {
          happened.push('list')
          return await real.listKeys(offset, limit)
        },
        addKeys: async (rows) => {
          happened.push('key')
          await real.addKeys(rows)
        },
      }),
    })
    const work = [
      its.permissions.addToWhitelist(hashes(1)).catch(() => {}),
      its.permissions.addKeys([plain(1)]),
      its.permissions.listKeys(0, 5),
    ] as const
    // By then everything that could begin has begun.
    await its.database.ping()
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    expect(happened).toEqual(['add begins'])
    gate.resolve()
    expect((await Promise.all(work))[2]).toEqual([{ key: key(1), expires: null }])
    expect(happened).toEqual(['add begins', 'add fails', 'key', 'list'])
  })

  test('the wait for the earlier ones counts: the database gets the rest of the time', async () => {
    const left: Record<string, number> = {}
    const gate = Promise.withResolvers<void>()
    const taking =
      <T>(name: string, result: T) =>
      async (...args: unknown[]) => {
        left[name] = (args.at(-1) as Deadline).left
        await gate.promise
        return result
      }
    await using its = await open({
      around: () => ({
        addToWhitelist: taking('addToWhitelist', undefined),
        removeFromWhitelist: taking('removeFromWhitelist', undefined),
        listWhitelist: taking('listWhitelist', new Uint8Array()),
        addKeys: taking('addKeys', undefined),
        removeKeys: taking('removeKeys', 0),
        listKeys: taking('listKeys', []),
      }),
    })
    const work = [
      its.permissions.addToWhitelist(hashes(1)),
      its.permissions.removeFromWhitelist(hashes(1)),
      its.permissions.listWhitelist(0, 1),
      its.permissions.addKeys([plain(1)]),
      its.permissions.removeKeys([key(1)]),
      its.permissions.listKeys(0, 1),
    ]
    await Bun.sleep(50)
    gate.resolve()
    await Promise.all(work)
    const { addToWhitelist, ...others } = left
    expect(addToWhitelist).toBeWithin(3_500, 4_001)
    expect(Object.keys(others).length).toBe(5)
    for (const milliseconds of Object.values(others)) expect(milliseconds).toBeWithin(2_500, 3_951)
  })

  test('disposing waits for all calls', async () => {
    await using its = await open()
    void its.permissions.addToWhitelist(hashes(1_000))
    void its.permissions.addKeys([plain(1)])
    await its.permissions[Symbol.asyncDispose]()
    expect([its.access!.whitelist!.size, its.validUntil(key(1))]).toEqual([1_000, Infinity])
  })
})

describe('another mode', () => {
  const tables = (rules: { listed: boolean; private: boolean }) =>
    new Access(
      createAccessMemory({ ...rules, checksExpiration: true, seed: Int32Array.of(9) })!,
      true,
    )

  test('begins with what the database holds, and keeps up with it before it counts', async () => {
    await using its = await open({ listed: false, private: false })
    await its.permissions.addToWhitelist(hashes(3))
    const access = tables({ listed: true, private: true })
    await its.permissions.prepare(access)
    expect(access.whitelist!.size).toBe(3)
    await its.permissions.addToWhitelist(hashes(1, 4))
    await its.permissions.addKeys([plain(2)])
    expect([access.whitelist!.size, access.keys!.size]).toEqual([4, 1])
    its.permissions.follow(access)
    await its.permissions.addKeys([plain(3)])
    expect(access.keys!.size).toBe(2)
    its.permissions.follow(undefined)
    await its.permissions.addKeys([plain(4)])
    expect(access.keys!.size).toBe(2)
  })

  test('that cannot begin leaves the one before', async () => {
    await using its = await open({ private: false })
    await its.permissions.load()
    const access = tables({ listed: true, private: true })
    await its.database.close()
    await expect(its.permissions.prepare(access)).rejects.toThrow()
    its.permissions.follow(its.access)
    expect(access.keys!.size).toBe(0)
  })
})

describe('at the start', () => {
  const fill = async (database: Database) => {
    await database.addToWhitelist(hashes(12_000))
    const row = (n: number) => ({ key: key(n), validUntil: n % 2 === 0 ? null : BigInt(n) })
    await database.addKeys(Array.from({ length: 12_000 }, (_, n) => row(n)))
  }

  test('K15: everything that the database holds is loaded', async () => {
    await using its = await open()
    await fill(its.database)
    await its.permissions.load()
    expect([its.access!.whitelist!.size, its.access!.keys!.size]).toEqual([12_000, 12_000])
    expect([7, 11_998].map((n) => its.validUntil(key(n)))).toEqual([7_000, Infinity])
    expect(its.lines).toEqual([
      expect.stringContaining('whitelisted torrents known: 12000'),
      expect.stringContaining('keys known: 12000'),
    ])
  })

  test('more than fits in memory is an error of one line', async () => {
    await using its = await open({ whitelistCapacity: 11_999 })
    await fill(its.database)
    await expect(its.permissions.load()).rejects.toThrow('room for 11999 whitelisted torrents')
  })

  test.each([
    ['listed', { private: false }],
    ['private', { listed: false }],
    ['public', { private: false, listed: false }],
  ])(
    'a %s tracker loads the tables it uses, and leaves the other in the database',
    async (_what, rules) => {
      await using its = await open(rules)
      await its.database.addToWhitelist(hashes(3))
      await its.database.addKeys([{ key: key(1), validUntil: null }])
      await its.permissions.load()
      expect(its.access?.whitelist?.size).toBe('listed' in rules ? undefined : 3)
      expect(its.access?.keys?.size).toBe('private' in rules ? undefined : 1)
      // All routes work in every mode.
      await its.permissions.addToWhitelist(hashes(1, 4))
      await its.permissions.removeFromWhitelist(hashes(1, 1))
      await its.permissions.addKeys([plain(2), { key: null, secondsValid: 4n }])
      expect(await its.permissions.removeKeys([key(1), key(5)])).toBe(1)
      await its.permissions.reloadWhitelist()
      await its.permissions.reloadKeys()
      await its.permissions.purge()
      expect(await stored(its.database)).toEqual(texts(hashes(3, 2)))
      expect((await its.permissions.listKeys(0, 10)).length).toBe(2)
      await its.database.close()
      expect(await faultOf(its.permissions.reloadWhitelist())).toBe('unreachable')
      expect(await faultOf(its.permissions.reloadKeys())).toBe('unreachable')
    },
  )
})

describe('a purge', () => {
  /** Keys 1–6: a week and more, a week, an hour and more, an hour, not yet expired, for ever. */
  const AGES = [WEEK + 1_000, WEEK, HOUR + 1, HOUR, -1, -Infinity]
  const put = async (its: Awaited<ReturnType<typeof open>>) => {
    const base = Math.floor(NOW / 1000) * 1000
    its.clock.now = base
    const row = (age: number, i: number) => ({
      key: key(i + 1),
      validUntil: age === -Infinity ? null : BigInt(Math.floor((base - age) / 1000)),
    })
    await its.database.addKeys(AGES.map(row))
    await its.permissions.load()
    for (const [i, age] of AGES.entries())
      addKey(its.access!.keys!, keyOf(key(i + 1)).words, base - age)
  }
  const known = (its: Awaited<ReturnType<typeof open>>) =>
    AGES.map((_, i) => its.validUntil(key(i + 1)) !== UNKNOWN)

  test('forgets keys an hour after their time, and the database does after a week', async () => {
    await using its = await open()
    await put(its)
    await its.permissions.purge()
    expect(known(its)).toEqual([false, false, false, true, true, true])
    const rows = await its.database.listKeys(0, 10)
    expect(rows.map((row) => row.key)).toEqual([2, 3, 4, 5, 6].map(key))
  })

  test('forgets nothing where expired keys are good', async () => {
    await using its = await open({ checksExpiration: false })
    await put(its)
    await its.permissions.purge()
    expect(known(its)).toEqual(AGES.map(() => true))
    expect((await its.database.listKeys(0, 10)).length).toBe(6)
  })

  test('that the database refuses clears the memory, is logged, and does not reject', async () => {
    await using its = await open({ around: () => ({ removeKeysExpiredBefore: lose('refused') }) })
    await put(its)
    await its.permissions.purge()
    expect(known(its)).toEqual([false, false, false, true, true, true])
    expect((await its.database.listKeys(0, 10)).length).toBe(AGES.length)
    expect(its.lines.filter((line) => line.includes('ERROR'))).toEqual([
      expect.stringContaining('removing expired keys failed: on purpose'),
    ])
  })

  /** A database that records each removal and holds more expired keys than one removes. */
  const withMany = async (order: string[], meanwhile = (_: Permissions) => {}) => {
    const its = await open({
      around: (real) => ({
        removeKeysExpiredBefore: async (second) => {
          const count = await real.removeKeysExpiredBefore(second)
          order.push(`removed ${count}`)
          meanwhile(its.permissions)
          return count
        },
      }),
    })
    const ended = Array.from({ length: 25_000 }, (_, i) => ({ key: key(i), validUntil: 1n }))
    await its.database.addKeys([...ended, { key: key(25_000), validUntil: null }])
    return its
  }

  test('goes on until the database has no expired keys left, and other calls run in between', async () => {
    const order: string[] = []
    await using its = await withMany(order, (permissions) => {
      permissions.addKeys([{ key: null, secondsValid: null }]).then(() => order.push('added'))
    })
    await its.permissions.purge()
    const inTurn = ['removed 10000', 'added', 'removed 10000', 'added', 'removed 5000']
    expect(order.slice(0, 5)).toEqual(inTurn)
    const rows = await its.permissions.listKeys(0, 10)
    expect(rows.map((row) => row.expires)).toEqual([null, null, null, null])
  })

  test('does not go on after the end', async () => {
    const order: string[] = []
    await using its = await withMany(
      order,
      (permissions) => void permissions[Symbol.asyncDispose](),
    )
    await its.permissions.purge()
    expect(order).toEqual(['removed 10000'])
    expect(its.lines).toEqual([])
  })
})

describe('a write whose outcome is unknown', () => {
  test.each(['late', 'unreachable'] as const)(
    '%s: is read again as soon as that can be',
    async (fault) => {
      let answers = false
      await using its = await open({
        around: (real) => ({
          // Done, but the answer is lost.
          addKeys: async (rows) => {
            await real.addKeys(rows)
            throw new DatabaseError(fault, 'on purpose')
          },
          readKeys: async (from) => (answers ? await real.readKeys(from) : await lose('late')()),
        }),
      })
      expect(await faultOf(its.permissions.addKeys([plain(1)]))).toBe(fault)
      expect(its.validUntil(key(1))).toBe(UNKNOWN)
      await its.works()
      expect(its.validUntil(key(1))).toBe(UNKNOWN)
      answers = true
      await its.works()
      expect(its.validUntil(key(1))).toBe(Infinity)
      const reads = its.lines.length
      answers = false
      await its.works()
      expect(its.lines.length).toBe(reads)
    },
  )

  test('a refused write is not one of them', async () => {
    await using its = await open({
      around: () => ({ addKeys: lose('refused'), readKeys: lose('late') }),
    })
    expect(await faultOf(its.permissions.addKeys([plain(1)]))).toBe('refused')
    await its.works()
    expect(its.lines).toEqual([])
  })
})
