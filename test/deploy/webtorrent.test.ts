/** What docs/webtorrent.md and the page for two tabs say holds: options with their defaults, files, elements. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { listenersOf } from '../../src/config/listeners.ts'
import { configOf, minimalToml } from '../support/configuration.ts'
import { pageOf } from '../support/deploy/guide.ts'

const ROOT = join(import.meta.dir, '../..')
const { text, blocks, block } = pageOf('webtorrent.md')

test.each([...blocks('toml')])('HTTP and browsers share a port in\n%s', (toml) => {
  const listeners = listenersOf(configOf(minimalToml({ rest: toml })))
  expect(listeners.find(({ name }) => name === 'websocket_trackers.0')?.host?.name).toBe(
    'http_trackers.0',
  )
})

test('behind a proxy both listen where it connects, and trust it', () => {
  const { http_trackers, websocket_trackers } = configOf(
    minimalToml({ rest: block('toml', 'on_reverse_proxy') }),
  )
  for (const { bind_address, network } of [http_trackers![0]!, websocket_trackers![0]!]) {
    expect(bind_address).toEqual({ ip: '127.0.0.1', port: 7070 })
    expect(network.on_reverse_proxy).toBe(true)
  }
  expect(block('nginx', 'upstream')).toContain('server 127.0.0.1:7070;')
})

test('the defaults in the table of limits are those of the configuration', () => {
  const [listener] = configOf(minimalToml({ rest: '[[websocket_trackers]]\nallowed_origins = []' }))
    .websocket_trackers!
  const rows = Array.from(
    text.matchAll(/^\| (`[a-z_`, ]+) +\| ([^|]+?) +\|/gm),
    ([, names, said]) => ({
      names: Array.from(names!.matchAll(/`([a-z_]+)`/g), ([, name]) => name!),
      said: said!.replace(' (any)', ''),
    }),
  ).filter(({ names }) => names.some((name) => name in listener!))
  expect(rows.flatMap(({ names }) => names).length).toBeGreaterThan(5)
  for (const { names, said } of rows)
    expect([names, said]).toEqual([
      names,
      names
        .map((name) => JSON.stringify(Object.entries(listener!).find(([key]) => key === name)?.[1]))
        .join(', '),
    ])
  const example = /`(allowed_origins = [^`]+)`/.exec(text)![1]!
  expect(
    configOf(minimalToml({ rest: `[[websocket_trackers]]\n${example}` })).websocket_trackers![0]!
      .allowed_origins,
  ).toHaveLength(2)
})

test('its links and files exist', () => {
  const headings = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!.toLowerCase().replaceAll(' ', '-'),
  )
  const links = Array.from(text.matchAll(/\]\(((?!https:)[^)]+)\)/g), ([, link]) => link!)
  expect(links.length).toBeGreaterThan(8)
  for (const link of links)
    if (link.startsWith('#')) expect(headings).toContain(link.slice(1))
    else expect([link, existsSync(join(ROOT, 'docs', link.split('#')[0]!))]).toEqual([link, true])
  for (const [path] of text.matchAll(/share\/[a-z./]+/g))
    expect([path, existsSync(join(ROOT, path))]).toEqual([path, true])
  const files = /LimitNOFILE=(\d+)/.exec(
    readFileSync(join(ROOT, 'share/systemd/tracker.service'), 'utf8'),
  )
  expect(text).toContain(`\`${files![0]}\``)
})

test('every element of the page for two tabs has a name and is there once', async () => {
  const found = new Map<string, number>()
  const labelled = new Set<string>()
  const scripts: string[] = []
  await new HTMLRewriter()
    .on('[id]', {
      element(element) {
        const id = element.getAttribute('id')!
        found.set(id, (found.get(id) ?? 0) + 1)
      },
    })
    .on('label', { element: (element) => void labelled.add(element.getAttribute('for')!) })
    .on('script', { element: (element) => void scripts.push(element.getAttribute('src') ?? '') })
    .transform(new Response(await Bun.file(join(ROOT, 'share/webtorrent/demo.html')).text()))
    .text()
  for (const id of ['tracker', 'seed', 'magnet', 'download', 'status', 'result'])
    expect([id, found.get(id)]).toEqual([id, 1])
  for (const id of ['tracker', 'seed', 'magnet']) expect(labelled).toContain(id)
  // It is one file: what it loads, it names in the open.
  expect(scripts).toEqual([''])
})
