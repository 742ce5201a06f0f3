/** Short load tests in this process. */
import { expect } from 'bun:test'
import { HttpLoad, type HttpLoadOptions } from '../../../src/bench/http-load.ts'
import { type LoadGenerator, LoadRun, type LoadRunOptions } from '../../../src/bench/load-run.ts'
import { Population } from '../../../src/bench/population.ts'
import { Tally } from '../../../src/bench/tally.ts'
import { UdpLoad, type UdpLoadOptions } from '../../../src/bench/udp-load.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

/** Generous time limits: a busy machine loses no request, and nothing hangs for ever. */
const GENEROUS = {
  durationMilliseconds: PATIENCE_MILLISECONDS,
  timeoutMilliseconds: PATIENCE_MILLISECONDS,
  rate: undefined,
}

export type Settings<T> = Partial<T & LoadRunOptions> & {
  readonly port: number
  /** Asked in every turn; true ends the run. By default after a hundred replies of any kind. */
  readonly enough?: (tally: Tally) => boolean
}

/** For trackers that do not answer: requests are lost soon. */
export const IMPATIENT = { timeoutMilliseconds: 200 }

export async function loadUdp(settings: Settings<UdpLoadOptions>) {
  const run = new LoadRun({ ...GENEROUS, ...settings }, new Tally())
  const options = { ...load(), window: 8, ...settings }
  return await drive(run, await UdpLoad.open(options, run), settings.enough)
}

export async function loadHttp(settings: Settings<HttpLoadOptions>) {
  const run = new LoadRun({ ...GENEROUS, ...settings }, new Tally())
  const web = { host: 'tracker.invalid', tls: false, insecure: false, closes: false }
  return await drive(run, new HttpLoad({ ...load(), ...web, ...settings }, run), settings.enough)
}

const load = () => ({
  address: { ip: '127.0.0.1', family: 4 } as const,
  path: '',
  population: new Population({ seed: 1, torrents: 50, peers: 100, seeders: 75 }),
  mix: 'announce' as const,
  want: 30,
  seed: 1,
  clients: 2,
})

/** Runs until there is enough, and checks that every request is counted as answered, bad or lost. */
async function drive(
  run: LoadRun,
  generator: LoadGenerator,
  enough = ({ replies }: Tally) => replies >= 100,
) {
  await run.drive({
    get inFlight() {
      return generator.inFlight
    },
    turn(now) {
      if (enough(run.tally)) run.stop()
      generator.turn(now)
    },
    close: () => generator.close(),
  })
  expect(run.ended).toBe('interrupted')
  for (const { requests, answers, errors, malformed, lost } of run.tally.kinds)
    expect(answers + errors + malformed + lost).toBe(requests)
  expect(generator.inFlight).toBe(0)
  return { run, tally: run.tally, total: run.tally.total() }
}
