/** What docs/deploy.md names exists: commands, options, files and settings. */

import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../src/cli/command.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { loaded, loadIn } from '../support/config/loading.ts'
import { configOf, minimalToml } from '../support/configuration.ts'
import { block, blocks, GUIDE } from '../support/deploy/guide.ts'

const ROOT = join(import.meta.dir, '../..')
const CONTAINER = readFileSync(
  join(ROOT, 'share/default/config/tracker.container.sqlite3.toml'),
  'utf8',
)

/** Every call of the executable, in code blocks and in the text. */
const calls = [
  ...blocks('sh').flatMap((text) => text.split('\n')),
  ...Array.from(GUIDE.matchAll(/`((?:\.\/)?tracker [^`]+)`/g), ([, words]) => words!),
]
  .map((line) => /^(?:.*\s)?(?:\.\/)?tracker ((?:[a-z]|--[a-z]).*)$/s.exec(line.trim())?.[1])
  // `install … tracker /usr/local/bin/tracker` and `useradd … tracker` are not calls.
  .filter((words) => words !== undefined)

test.each([...new Set(calls)])('tracker %s is a command', (text) => {
  let command: Command = TRACKER
  const options = new Set<string>()
  for (const word of text.split(/\s+/)) {
    for (const { name } of command.options ?? []) options.add(`--${name}`)
    const next = command.commands?.find(({ name }) => name === word)
    if (next) command = next
    else if (word.startsWith('--') && word !== '--version' && word !== '--help')
      expect([...options]).toContain(word)
  }
  for (const { name } of command.options ?? []) options.add(`--${name}`)
  expect(command === TRACKER && !text.startsWith('--')).toBe(false)
})

test('there are calls of the executable in it', () => {
  expect(calls.length).toBeGreaterThan(8)
})

const listening = blocks('toml').filter((text) => text.includes('[[http_trackers]]'))
test.each(listening)('the configuration takes\n%s', (text) => {
  const config = configOf(minimalToml({ rest: text }))
  expect(config.http_trackers).toHaveLength(1)
})

test('secrets are read from the credentials that systemd passes on', () => {
  const passed = Array.from(
    block('ini', 'LoadCredential=database').matchAll(/^LoadCredential=(.*?):/gm),
    ([, name]) => [`/run/credentials/x/${name}`, `the secret ${name}`],
  )
  const toml = minimalToml({ rest: block('toml', 'password_file') })
  const { config } = loaded(
    loadIn({
      files: { '/home/op/tracker.toml': toml, ...Object.fromEntries(passed) },
      env: { CREDENTIALS_DIRECTORY: '/run/credentials/x' },
    }),
  )
  expect(config.core.database).toMatchObject({ password: 'the secret database' })
  expect(config.http_api?.access_tokens.admin?.token).toBe('the secret api-token')
})

test('the tracker behind a proxy listens where the proxies connect, and only there', () => {
  const [listener] =
    configOf(minimalToml({ rest: block('toml', 'on_reverse_proxy') })).http_trackers ?? []
  expect(listener?.network.on_reverse_proxy).toBe(true)
  expect(listener?.bind_address).toEqual({ ip: '127.0.0.1', port: 7070 })
  expect(block('nginx', 'upstream')).toContain('server 127.0.0.1:7070;')
  expect(block('caddy', 'reverse_proxy')).toContain('reverse_proxy 127.0.0.1:7070\n')
})

type Compose = {
  services: { tracker: { environment: Record<string, string>; [key: string]: unknown } }
  networks?: Record<string, unknown>
}
/** A Compose file, whose tags are not YAML's own. */
const compose = (text: string) =>
  Bun.YAML.parse(text.replaceAll(/!(reset|override) /g, '')) as Compose

test.each(blocks('yaml'))('Compose and the container take\n%s', (text) => {
  const { services, networks = {} } = compose(text)
  const whole = compose(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'))
  expect(Object.keys(services)).toEqual(['tracker'])
  expect(Object.keys(whole.services)).toContain('tracker')
  for (const network of Object.keys(networks))
    expect(Object.keys(whole.networks!)).toContain(network)
  const { environment } = services.tracker
  const env = { ...environment, TORRUST_TRACKER_CONFIG_TOML: CONTAINER }
  const { config } = loaded(loadIn({ env }))
  const { udp_trackers, http_trackers, http_api, health_check_api } = config
  expect(udp_trackers?.map((listener) => listener.bind_address)).toEqual([{ ip: '::', port: 6969 }])
  expect(http_trackers?.map((listener) => listener.bind_address)).toEqual([
    { ip: '::', port: 7070 },
  ])
  // On the host's network other interfaces may be reached from the internet.
  if (services.tracker.network_mode === 'host')
    for (const { bind_address } of [http_api!, health_check_api])
      expect(bind_address.ip).toBe('127.0.0.1')
})

const settings = blocks('sysctl').flatMap((text) => text.trim().split('\n'))

test('there are kernel settings in it', () => {
  expect(settings.length).toBeGreaterThan(2)
})

test.each(settings)('the kernel has %s', (line) => {
  const [, name, value] = /^([a-z_.]+) = (\d+)$/.exec(line)!
  expect(Number(value)).toBeGreaterThan(0)
  const path = `/proc/sys/${name!.replaceAll('.', '/')}`
  // The module of connection tracking may not be loaded.
  const place = path.includes('/netfilter/') ? '/proc/sys/net/netfilter' : '/proc/sys'
  if (existsSync(place)) expect([path, existsSync(path)]).toEqual([path, true])
})

test('its links lead somewhere', () => {
  const headings = Array.from(GUIDE.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  const links = Array.from(GUIDE.matchAll(/\]\(([^)]+)\)/g), ([, link]) => link!)
  expect(links.length).toBeGreaterThan(5)
  for (const link of links)
    if (link.startsWith('#')) expect(headings).toContain(link.slice(1))
    else expect([link, existsSync(join(ROOT, 'docs', link))]).toEqual([link, true])
})

test.each([...new Bun.Glob('docs/*.md').scanSync(ROOT)])(
  '%s says which commands need the source',
  (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    // An archive holds the docs, but neither the sources nor the files of the image.
    if (/\b(bun (run|test|build|bench|release)\b|docker (build|compose up)|buildah)/.test(text))
      expect(text).toContain('clone of the source')
  },
)
