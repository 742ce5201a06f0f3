/** What docs/accounting.md says holds: options with their defaults, commands, routes, files, the check of a signature. */
import { expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FLAG_KINDS } from '../../src/accounting/batch.ts'
import type { Command } from '../../src/cli/command.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { SETTINGS } from '../../src/config/settings.ts'
import { serve } from '../support/api/served-api.ts'
import { configOf, minimalToml } from '../support/configuration.ts'
import { pageOf } from '../support/deploy/guide.ts'
import { ask, dechunk } from '../support/http-client.ts'
import { runProgram } from '../support/run-program.ts'

const ROOT = join(import.meta.dir, '../..')
const { text, block, blocks } = pageOf('accounting.md')
const whole = block('toml', 'level = "users"')
const HEAD = '[metadata]\nschema_version = "3.0.0"\n[logging]\ntrace_filter = "info"\n'

test('the configuration takes what it shows', () => {
  const { core } = configOf(`${HEAD}${whole}\n${block('toml', 'accounting.webhook')}`)
  expect(core.accounting).toMatchObject({
    level: 'users',
    webhook: { url: 'https://site.example.com/hooks/tracker' },
  })
})

test('the defaults in its table are those of the configuration, and no option is missing', () => {
  const { accounting } = configOf(
    minimalToml({
      core: '[core.database]\npath = "a.db"\n[core.accounting]\nlevel = "torrents"\n',
    }),
  ).core
  const rows = Array.from(
    text.matchAll(/^\| `([a-z_]+)` +\| `([^`]+)` +\|/gm),
    ([, name, value]) => [name!, JSON.parse(value!)],
  )
  expect(Object.fromEntries(rows)).toEqual({ ...accounting, level: 'off' })
})

test('it says rightly what follows a reload', () => {
  const { accounting } = SETTINGS.rows.core.rows
  const fixed = Object.entries(accounting.rows).flatMap(([name, row]) =>
    'restart' in row && row.restart ? [name] : [],
  )
  expect(text).toContain(
    'Percentages, limits, speed, `store_clients` and the webhook follow a reload; the rest takes a restart.',
  )
  expect(fixed.sort()).toEqual([
    'flags_retention',
    'idle_write_interval',
    'level',
    'session_retention',
    'write_interval',
  ])
})

const calls = Array.from(
  [...blocks('sh'), ...(text.match(/`tracker [^`]+`/g) ?? [])]
    .join('\n')
    .matchAll(/^`?tracker ([^`\n]+)/gm),
  ([, words]) => words!,
)
test('there are calls of the executable in it', () => {
  expect(calls.length).toBeGreaterThan(2)
})
test.each(calls)('tracker %s is a command', (words) => {
  let command: Command = TRACKER
  const options = new Set<string>()
  for (const word of words.split(/\s+/)) {
    for (const { name } of command.options ?? []) options.add(`--${name}`)
    const next = command.commands?.find(({ name }) => name === word)
    if (next) command = next
    else if (word.startsWith('--')) expect([...options]).toContain(word)
  }
  expect(command.name).not.toBe(TRACKER.name)
})

test('the routes that it names exist', async () => {
  await using api = await serve()
  const { paths } = JSON.parse(
    dechunk(await ask(api.url, { path: '/api/openapi.json' })).toString(),
  ) as { paths: Record<string, Record<string, object>> }
  const plain = (path: string) => path.replaceAll(/\{[^}]*\}/g, '{}')
  const known = new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${plain(path)}`),
    ),
  )
  const named = Array.from(
    text.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/api\/v1\/[^`?]+)`/g),
    ([, method, path]) => `${method} ${plain(path!)}`,
  )
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((one) => !known.has(one))).toEqual([])
})

test('it explains every flag', () => {
  const named = Array.from(text.matchAll(/^\| `(\w+)` +\| [a-z]/gm), ([, name]) => name!)
  for (const kind of FLAG_KINDS) expect(named).toContain(kind)
})

test('its copy loop is that of the file', () => {
  const file = readFileSync(join(ROOT, 'share/accounting/copy.py'), 'utf8')
  expect(file).toEndWith(block('python', 'site.executemany'))
})

const PYTHON = Bun.which('python3')
test.skipIf(PYTHON === null)('N29: its check takes a signature, and no other', async () => {
  const body = '{"next":5}'
  const sign = (secret: string) =>
    `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
  const check = block('python', 'hmac')
  const judge = async (header: string) => {
    const call = `print(is_from_the_tracker(${JSON.stringify(body)}.encode(), ${JSON.stringify(header)}, b"secret"))`
    return await runProgram([PYTHON!, '-c', `${check}\n${call}`], { env: {} })
  }
  expect(await judge(sign('secret'))).toMatchObject({ code: 0, out: 'True\n' })
  expect(await judge(sign('another'))).toMatchObject({ code: 0, out: 'False\n' })
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
  for (const [path] of text.matchAll(/share\/[a-z./]+[a-z]/g))
    expect([path, existsSync(join(ROOT, path))]).toEqual([path, true])
})
