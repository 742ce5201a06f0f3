/** The rules of the house (`docs/architecture.md`) against the sources, and against planted violations. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRooms, roomOf, violations } from './support/architecture.ts'

const root = join(import.meta.dir, '..')
const src = join(root, 'src')
const files = [...new Bun.Glob('**/*.{ts,tsx}').scanSync(src)].sort()
const sources = new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
const rooms = readRooms(page)

test('the sources keep the rules', () => {
  expect(violations(sources, rooms)).toEqual([])
})

test('the README names every room', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const map = readme.slice(readme.indexOf('## How it works'), readme.indexOf('## Develop it'))
  for (const name of new Set(files.map(roomOf)))
    expect([name, map]).toEqual([name, expect.stringMatching(new RegExp(`\`${name}(/|\\.ts)\``))])
})

test('every path that the page names is there', () => {
  for (const [, path] of page.matchAll(/`((?:[a-z-]+\/)+[a-z-]+\.ts)`/g)) {
    const isThere = sources.has(path!) || readRoot(path!)
    expect([path, isThere]).toEqual([path, true])
  }
})

test('the glossary has no more than twenty words', () => {
  const glossary = page.slice(page.indexOf('## Words'), page.indexOf('## Rooms'))
  const words = glossary.match(/^\| [a-z]/gm)!.length - 1
  expect(words).toBeGreaterThan(9)
  expect(words).toBeLessThanOrEqual(20)
})

describe('a planted violation is found', () => {
  /** What is wrong once `text` stands behind that of `file`. */
  const planted = (changes: Record<string, string>) => {
    const changed = new Map(sources)
    for (const [file, text] of Object.entries(changes))
      changed.set(file, `${sources.get(file) ?? ''}\n${text}`)
    return violations(changed, rooms)
  }

  test('a type of a room without a door', () => {
    expect(planted({ 'servers/udp.ts': `import type { Swarm } from '../swarm/swarm.ts'` })).toEqual(
      ['servers/udp.ts: imports types of swarm/swarm.ts; servers has no such door'],
    )
  })

  test('a run-time import of a room without a door', () => {
    expect(
      planted({ 'servers/udp.ts': `import { askUdp } from '../client/udp.ts'\naskUdp()` }),
    ).toEqual(['servers/udp.ts: imports client/udp.ts; servers has no such door'])
  })

  test('a run-time import where only types may pass', () => {
    expect(
      planted({
        'servers/udp.ts': `import { printAddress } from '../config/model.ts'\nprintAddress()`,
      }),
    ).toEqual(['servers/udp.ts: imports config/model.ts; servers has no such door'])
  })

  test('an import that points up', () => {
    expect(planted({ 'swarm/lock.ts': `import type { Tracker } from '../tracker.ts'` })).toEqual([
      'swarm/lock.ts: imports tracker.ts, which is above',
      'swarm/lock.ts: imports types of tracker.ts; swarm has no such door',
    ])
  })

  test('two files that import each other', () => {
    const [wrong, ...more] = planted({
      'swarm/one.ts': `import { two } from './two.ts'\nexport const one = two`,
      'swarm/two.ts': `import type { one } from './one.ts'\nexport const two: typeof one = 1`,
    })
    expect(more).toEqual([])
    expect(wrong).toBe('cycle: swarm/one.ts → swarm/two.ts → swarm/one.ts')
  })

  test('a door that is not used, a room that is not there, a room that is not in the table', () => {
    const gone = rooms.map((room) =>
      room.name === 'swarm' ? { ...room, opens: [...room.opens, 'text'] } : room,
    )
    expect(violations(sources, gone)).toEqual(['swarm: never opens its door to text'])
    expect(violations(sources, [...rooms, { name: 'attic', opens: [], types: [] }])).toEqual([
      'attic: there is no such room',
    ])
    expect(planted({ 'attic/one.ts': 'export const one = 1' })).toEqual([
      'attic/one.ts: the table has no room attic',
    ])
  })

  test('a package and a word outside their owner', () => {
    expect(planted({ 'swarm/one.ts': `import { t } from 'elysia'\nt(Date.now())` })).toEqual([
      'swarm/one.ts: imports elysia',
      'swarm/one.ts: says Date.now',
    ])
  })

  test('a room that holds too much', () => {
    expect(planted({ 'swarm/one.ts': '\n'.repeat(10_000) })).toEqual([
      expect.stringMatching(/^swarm: holds \d+ % of all lines$/),
    ])
  })
})

function readRoot(path: string): boolean {
  try {
    return readFileSync(join(root, path)).length > 0
  } catch {
    return false
  }
}
