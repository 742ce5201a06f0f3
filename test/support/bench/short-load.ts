/** Short load tests in this process, and what came of them. */
import { expect } from 'bun:test'
import { HttpLoad, type HttpLoadOptions } from '../../../src/bench/http-load.ts'
import { Course, type CourseOptions, type Generator } from '../../../src/bench/load-run.ts'
import { Population } from '../../../src/bench/population.ts'
import { Tally } from '../../../src/bench/tally.ts'
import { UdpLoad, type UdpLoadOptions } from '../../../src/bench/udp-load.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

/** Ends when a test has seen enough. Nothing is lost because the machine was busy, and nothing hangs for ever. */
const COURSE = {
  durationMilliseconds: PATIENCE_MILLISECONDS,
  timeoutMilliseconds: PATIENCE_MILLISECONDS,
  rate: undefined,
}

export type Settings<T> = Partial<T & CourseOptions> & {
  readonly port: number
  /** Looked at in every turn; unless it is given, a hundred answers of any sort. */
  readonly enough?: (tally: Tally) => boolean
}

/** For trackers that do not answer: what they were asked is lost soon. */
export const IMPATIENT = { timeoutMilliseconds: 200 }

export async function loadUdp(settings: Settings<UdpLoadOptions>) {
  const course = new Course({ ...COURSE, ...settings }, new Tally())
  const options = { ...load(), window: 8, ...settings }
  return await run(course, await UdpLoad.open(options, course), settings.enough)
}

export async function loadHttp(settings: Settings<HttpLoadOptions>) {
  const course = new Course({ ...COURSE, ...settings }, new Tally())
  const web = { host: 'tracker.invalid', tls: false, insecure: false, closes: false }
  return await run(
    course,
    new HttpLoad({ ...load(), ...web, ...settings }, course),
    settings.enough,
  )
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

/** Runs until there is enough, and sees to it that every request became of something. */
async function run(
  course: Course,
  generator: Generator,
  enough = ({ heard }: Tally) => heard >= 100,
) {
  await course.run({
    get inFlight() {
      return generator.inFlight
    },
    turn(now) {
      if (enough(course.tally)) course.stop()
      generator.turn(now)
    },
    close: () => generator.close(),
  })
  expect(course.ended).toBe('interrupted')
  for (const { requests, answers, errors, malformed, lost } of course.tally.kinds)
    expect(answers + errors + malformed + lost).toBe(requests)
  expect(generator.inFlight).toBe(0)
  return { course, tally: course.tally, total: course.tally.total() }
}
