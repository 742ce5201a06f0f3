/** Short load tests in this process, and what came of them. */
import { expect } from 'bun:test'
import { Course, type CourseOptions, type Generator } from '../../src/load/course.ts'
import { HttpLoad, type HttpLoadOptions } from '../../src/load/http-load.ts'
import { Population } from '../../src/load/population.ts'
import { Tally } from '../../src/load/tally.ts'
import { UdpLoad, type UdpLoadOptions } from '../../src/load/udp-load.ts'

const COURSE = { durationMilliseconds: 300, timeoutMilliseconds: 200, rate: undefined }

export type Settings<T> = Partial<T & CourseOptions> & { readonly port: number }

export async function loadUdp(settings: Settings<UdpLoadOptions>) {
  const course = new Course({ ...COURSE, ...settings }, new Tally())
  const options = { ...load(), window: 8, ...settings }
  return await run(course, await UdpLoad.open(options, course))
}

export async function loadHttp(settings: Settings<HttpLoadOptions>) {
  const course = new Course({ ...COURSE, ...settings }, new Tally())
  const web = { host: 'tracker.invalid', tls: false, insecure: false, closes: false }
  return await run(course, new HttpLoad({ ...load(), ...web, ...settings }, course))
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

/** Runs to the end, in time, and sees to it that every request became of something. */
async function run(course: Course, generator: Generator) {
  const began = performance.now()
  await course.run(generator)
  const lasted = performance.now() - began
  const { durationMilliseconds, timeoutMilliseconds } = course.options
  // Far more than it takes, and far less than for ever.
  expect(lasted).toBeLessThan(durationMilliseconds + timeoutMilliseconds + 5_000)
  for (const { requests, answers, errors, malformed, lost } of course.tally.kinds)
    expect(answers + errors + malformed + lost).toBe(requests)
  expect(generator.inFlight).toBe(0)
  return { course, tally: course.tally, total: course.tally.total() }
}
