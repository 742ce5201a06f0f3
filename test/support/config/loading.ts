/** Loads configurations from a disk and an environment that exist only in the test. */

import { expect } from 'bun:test'
import { type Failed, type Loaded, type LoadInput, load } from '../../../src/config/load.ts'
import { printMistake } from '../../../src/config/mistake.ts'
import { DEFAULT, type Node, type Place } from '../../../src/config/tree.ts'
import { minimalToml } from '../configuration.ts'

export const OVERRIDE = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'

export interface World {
  readonly path?: string
  readonly env?: Readonly<Record<string, string>>
  /** By absolute path. */
  readonly files?: Readonly<Record<string, string>>
  readonly hasIpv6?: boolean
  readonly readSecret?: LoadInput['readSecret']
}

export function loadIn(world: World): Loaded | Failed {
  const { path, env = {}, files = {}, hasIpv6 = true, readSecret } = world
  const input: LoadInput = {
    path,
    readSecret,
    env,
    cwd: '/home/op',
    hasIpv6: () => hasIpv6,
    readFile(name) {
      if (name === '/home/op/folder') throw Object.assign(new Error(), { code: 'EISDIR' })
      if (name === '/home/op/locked') throw Object.assign(new Error(), { code: 'EACCES' })
      const text = Object.hasOwn(files, name) ? files[name] : undefined
      if (text === undefined) throw Object.assign(new Error(), { code: 'ENOENT' })
      return text
    },
  }
  return load(input)
}

/** `./tracker.toml` with this text, and overrides by their names without the prefix. */
export const loadToml = (toml: string, overrides: Readonly<Record<string, string>> = {}) =>
  loadIn({
    files: { '/home/op/tracker.toml': toml },
    env: Object.fromEntries(Object.entries(overrides).map(([k, v]) => [OVERRIDE + k, v])),
  })

export function loaded(result: Loaded | Failed): Loaded {
  expect(complaints(result)).toEqual([])
  return result as Loaded
}

/** The mistakes, as printed. */
export const complaints = (result: Loaded | Failed): string[] =>
  result.kind === 'failed' ? result.mistakes.map(printMistake) : []

/** The minimal file of each schema. */
export const MINIMAL_2 = minimalToml({ schema: '2.0.0' })
export const MINIMAL_3 = minimalToml()

export const NOWHERE: Place = { source: DEFAULT, path: '' }

/** A tree as plain values, for comparisons. */
export function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plain)
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]))
}

/** The cells of a table in a text, one row a line, parted by ` | `. */
export const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((row) => row.split(' | '))
