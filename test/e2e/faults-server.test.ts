/**
 * A running tracker whose database server hangs, dies, comes back and goes for good, while peers go on completing:
 * they notice nothing, the operator is told, and nothing that can be written is lost.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { hashes, key } from '../support/database/hashes.ts'
import { PrivateServer, ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { startKeeper } from '../support/e2e/keeper.ts'
import { bothPrograms, type Program } from '../support/e2e/program.ts'
import { until } from '../support/until.ts'

/** Each test starts, freezes and kills a server several times. */
setDefaultTimeout(300_000)

const PROGRAMS = bothPrograms()
const DRIVERS = ['mysql', 'postgresql'] as const
type Driver = (typeof DRIVERS)[number]

const KEY = key(1)
const ANOTHER_KEY = key(2)
const TORRENTS = Array.from({ length: 20 }, (_, i) => hashes(1, 1 + i))
const ANOTHER_TORRENT = hashes(1, 100)
const [FIRST] = TORRENTS.map((hash) => hash.toHex()) as [string]
const ANOTHER = ANOTHER_TORRENT.toHex()

/** Every request that needs the database, and its error when that fails. */
const CALLS: readonly (readonly [string, string, string, unknown?])[] = [
  ['POST', 'keys', 'failed to add key', { key: ANOTHER_KEY, seconds_valid: 60 }],
  ['GET', 'keys', 'failed to list keys'],
  ['POST', 'keys/bulk', 'failed to add key', { keys: [{ key: ANOTHER_KEY, seconds_valid: null }] }],
  ['POST', 'key/60', 'failed to generate key'],
  ['DELETE', `key/${KEY}`, 'failed to delete key'],
  ['DELETE', 'keys/bulk', 'failed to delete key', { keys: [KEY] }],
  ['GET', 'keys/reload', 'failed to reload keys'],
  ['POST', `whitelist/${ANOTHER}`, 'failed to whitelist torrent'],
  ['POST', 'whitelist/bulk', 'failed to whitelist torrent', { info_hashes: [ANOTHER] }],
  ['DELETE', `whitelist/${FIRST}`, 'failed to remove torrent from whitelist'],
  ['DELETE', 'whitelist/bulk', 'failed to remove torrent from whitelist', { info_hashes: [FIRST] }],
  ['GET', 'whitelist/reload', 'failed to reload whitelist'],
  ['GET', 'whitelist', 'failed to list whitelist'],
]

type Scene = Awaited<ReturnType<typeof scene>>

/** A private and listed tracker with a crowd, on its own database server. */
async function scene(driver: Driver, program: Program) {
  await using opening = new AsyncDisposableStack()
  const server = opening.use(await PrivateServer.start(testServer(driver)!))
  // It is removed with its server.
  const place = await ServerPlace.on(server.config)
  const keeper = opening.use(
    await startKeeper(program, { database: { ...place.config }, isPrivate: true, listed: true }),
  )
  await keeper.must('POST', 'keys', { key: KEY, seconds_valid: null })
  const info_hashes = TORRENTS.map((hash) => hash.toHex())
  await keeper.must('POST', 'whitelist/bulk', { info_hashes })
  const crowd = opening.use(await Crowd.at(keeper.udpPort, TORRENTS, KEY))
  const opened = opening.move()
  return { server, place, keeper, crowd, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** The stored counts, and those that clients were answered. */
async function books({ place, crowd }: Scene) {
  const rows = await place.sql('SELECT completed FROM torrents ORDER BY info_hash')
  const [total] = await place.sql('SELECT value FROM torrent_aggregate_metrics')
  return {
    stored: { each: rows.map(([count]) => Number(count)), total: Number(total?.[0]) },
    accepted: { each: crowd.answered(), total: crowd.completions.length },
  }
}

const balanced = (scene: Scene) =>
  until('everything to be stored', async () => {
    const { stored, accepted } = await books(scene)
    return Bun.deepEquals(stored, accepted)
  })

const healthIs = (scene: Scene, status: 'Ok' | 'Error') =>
  until(`health to say ${status}`, async () => {
    const report = await scene.keeper.health()
    return report.status === status && report
  })

/** What peers and the operator see while the database is down. */
async function lookAround(scene: Scene): Promise<void> {
  const { keeper, crowd, place } = scene
  const { details, database } = await healthIs(scene, 'Error')
  const results = details.map(({ service_type, result }) => [service_type, Object.keys(result)])
  expect(results).toEqual([
    ['udp_tracker', ['Ok']],
    ['http_tracker', ['Ok']],
    ['tracker_rest_api', ['Ok']],
  ])
  // Neither its address nor its account: the report is public.
  expect(database).toEqual({
    driver: place.config.driver,
    result: { Err: expect.stringMatching(/^failing since \S+Z, the log says why$/) },
  })

  // All at once: none waits for the others. After five seconds the answer would be 408 (docs/behaviours.md A6).
  const before = crowd.completions.length
  const answers = CALLS.map(async ([method, path, what, body]) => {
    const { status, type, text } = await keeper.call(method, path, body)
    expect({ path, status, type, text }).toEqual({
      path,
      status: 500,
      type: 'text/plain; charset=utf-8',
      text: expect.stringMatching(
        new RegExp(`^Unhandled rejection: Err \\{ reason: "${what}: .+" \\}$`),
      ),
    })
    for (const secret of [KEY, ANOTHER_KEY, place.config.password])
      expect(text).not.toContain(secret)
  })
  await Promise.all(answers)
  // One more, queued behind all of them: when it is answered, they have failed for good.
  expect((await keeper.call('GET', 'keys')).status).toBe(500)
  // Peers are served meanwhile: none waits for the database.
  await until('more peers to be served', () => crowd.completions.length > before + 100)

  // Memory has not changed.
  expect({
    known: await crowd.outcome(TORRENTS[0]!),
    unlisted: await crowd.outcome(ANOTHER_TORRENT),
    unknown: await crowd.outcome(TORRENTS[0]!, ANOTHER_KEY),
  }).toEqual({
    known: 'served',
    unlisted: expect.stringContaining('is not whitelisted'),
    unknown: expect.stringContaining('Failed to read key'),
  })
}

/** After the database is back: nothing has changed, and changes work again. */
async function comeBack(scene: Scene): Promise<void> {
  const { keeper, crowd } = scene
  await healthIs(scene, 'Ok')
  expect(await keeper.must('GET', 'keys')).toMatchObject([{ key: KEY }])
  expect(await keeper.must('GET', 'whitelist')).toEqual(TORRENTS.map((hash) => hash.toHex()))
  await keeper.must('POST', 'keys', { key: ANOTHER_KEY, seconds_valid: null })
  expect(await crowd.outcome(TORRENTS[0]!, ANOTHER_KEY)).toBe('served')
  await keeper.must('DELETE', `key/${ANOTHER_KEY}`)
  expect(await crowd.outcome(TORRENTS[0]!, ANOTHER_KEY)).toContain('Failed to read key')
}

/** Ends the tracker; how many completions it reports as lost. */
async function endOf({ keeper, place }: Scene): Promise<number> {
  const { code, out, err } = await keeper.stop([KEY, ANOTHER_KEY, place.config.password])
  const lost = Number(/ (\d+) completed download\S* could not be written/.exec(out)?.[1] ?? 0)
  // After ten seconds it would give up with another message.
  const line = `tracker: ${lost} completed download(s) are lost: the database did not take them\n`
  expect([code, err]).toEqual(lost > 0 ? [1, line] : [0, ''])
  return lost
}

describe.concurrent.each(DRIVERS)('%s', (driver) => {
  const isAbsent = testServer(driver) === undefined
  const name = isAbsent ? ` (${skipReason(driver)})` : ''

  test.skipIf(isAbsent).each(PROGRAMS)(
    `that hangs, then dies, then is gone for good, under %s${name}`,
    async (_program, program) => {
      await using it = await scene(driver, program)
      const { server, keeper, crowd } = it
      crowd.start()
      await until('some completions', () => crowd.completions.length > 200)
      await server.freeze()
      await lookAround(it)
      server.thaw()
      await comeBack(it)
      await keeper.run.says(/ INFO DATABASE: \S+: works again after/)

      await server.kill()
      await lookAround(it)
      await server.start()
      await comeBack(it)
      await crowd.stop()
      await balanced(it)

      await server.kill()
      await crowd.complete(50)
      expect(await endOf(it)).toBe(50)
      await server.start()
      const { stored, accepted } = await books(it)
      expect(stored.total).toBe(accepted.total - 50)
    },
  )

  test.skipIf(isAbsent)(
    `that hangs keeps nobody from ending the tracker, whoever else does not finish${name}`,
    async () => {
      await using it = await scene(driver, PROGRAMS.at(-1)![1])
      const { server, keeper, crowd } = it
      await crowd.complete(50)
      await balanced(it)
      await server.freeze()
      await crowd.complete(30)
      await healthIs(it, 'Error')
      // Calls that would wait for each other, and a client that would use up the grace period.
      for (const [method, path, , body] of CALLS)
        keeper.call(method, path, body).catch(() => 'the tracker has ended')
      const { hostname, port } = new URL(keeper.http)
      const slow = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } })
      slow.write('GET /announce?info_ha')
      await keeper.must('GET', 'stats')
      expect(await endOf(it)).toBe(30)
      slow.end()
      server.thaw()
      const { stored, accepted } = await books(it)
      expect(stored.total).toBe(accepted.total - 30)
    },
  )
})
