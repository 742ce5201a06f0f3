/** How a load tells a silence of the tracker from a pause of its own, on a clock that the test sets. */
import { afterEach, expect, mock, spyOn, test } from 'bun:test'
import { Load, type Wire } from '../../src/bench/load.ts'
import { Population } from '../../src/bench/population.ts'

afterEach(() => mock.restore())

/** Milliseconds since the look before, whether an answer came, requests in flight then. */
type Look = readonly [after: number, came: boolean, inFlight?: number]

/** Looks of the load in turn. */
async function look(...looks: readonly Look[]) {
  let now = 1_000
  spyOn(performance, 'now').mockImplementation(() => now)
  const load = new Load({
    population: new Population({ seed: 1, torrents: 1, peers: 1, seeders: 0 }),
    mix: 'announce',
    seed: 1,
    durationMilliseconds: 1_000_000,
    timeoutMilliseconds: 1_000_000,
    rate: undefined,
  })
  const client = { inFlight: 1, room: () => 0, send() {}, giveUp() {} }
  const left = [...looks]
  const wire: Wire = {
    load,
    clients: [client],
    read() {
      const [after, came, inFlight] = left.shift()!
      now += after
      if (came) load.tally.kinds[1]!.answers++
      client.inFlight = left.length > 0 ? (inFlight ?? 1) : 0
      if (left.length === 0) load.stop()
      return came
    },
    close() {},
  }
  await load.drive(wire)
  return { silence: load.longestSilence, pause: load.longestPause }
}
/** The last look, after which the sending has ended. */
const END: Look = [0, false]

test('a silence lasts from an answer to the last look that found none', async () => {
  const { silence, pause } = await look(
    [1, true],
    [3, false],
    [4, false],
    [2, true],
    [1, false],
    END,
  )
  expect([silence, pause]).toEqual([7, 4])
})

test('a pause of the load after which an answer is there is no silence', async () => {
  expect(await look([1, true], [50, true], [2, false], END)).toEqual({ silence: 2, pause: 50 })
})

test('a tracker that was asked nothing is not silent', async () => {
  const { silence } = await look([1, true, 0], [30, false, 0], [5, false, 1], END)
  expect(silence).toBe(5)
})
