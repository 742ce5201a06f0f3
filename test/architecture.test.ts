/** The map of the program (design.md), kept by reading the sources: who may import whom at run time. */
import { expect, test } from 'bun:test'
import { dirname, join, relative } from 'node:path'

const BOTTOM = [
  'bittorrent',
  'limits',
  'refusal',
  'clock',
  'log',
  'metrics',
  'nearest',
  'file-reason',
  'hash',
  'shared-memory',
]

const MAY_OPEN: Record<string, readonly string[]> = {
  ...Object.fromEntries(BOTTOM.map((room) => [room, []])),
  wire: ['bittorrent', 'limits'],
  swarm: ['bittorrent', 'limits', 'hash', 'shared-memory'],
  access: ['bittorrent', 'limits', 'hash', 'shared-memory'],
  config: ['bittorrent', 'limits', 'nearest', 'file-reason', 'wire'],
  database: ['bittorrent', 'limits'],
  persist: ['bittorrent', 'limits', 'clock', 'log', 'metrics', 'swarm', 'database'],
  permissions: ['bittorrent', 'limits', 'clock', 'log', 'access', 'database'],
  tracker: ['bittorrent', 'limits', 'refusal', 'clock', 'metrics', 'swarm', 'access'],
  client: ['bittorrent', 'limits', 'file-reason', 'wire'],
  load: ['bittorrent', 'limits', 'wire', 'client'],
  check: ['bittorrent', 'limits', 'nearest', 'file-reason', 'wire', 'client', 'load'],
  statistics: ['metrics'],
  servers: [...BOTTOM, 'wire', 'tracker', 'client'],
  thread: [...BOTTOM, 'servers', 'tracker', 'swarm', 'access', 'wire'],
  cli: [
    ...BOTTOM,
    'config',
    'servers',
    'tracker',
    'swarm',
    'access',
    'database',
    'persist',
    'permissions',
    'statistics',
    'client',
    'load',
    'check',
    'wire',
    'thread',
    // The container's templates, as text.
    '..',
  ],
  // `..` is package.json, for the version.
  main: ['cli', '..'],
}

/** Packages and built-ins with exactly one owner (a room or a file). */
const OWNER: Record<string, string> = {
  'smol-toml': 'config/',
  'bun:sqlite': 'database/sqlite.ts',
  'mysql2/promise': 'database/mysql.ts',
  'bun:ffi': 'servers/libc.ts',
  elysia: 'servers/',
}

/** Words with exactly one owner: asking for them elsewhere hides time, output or the end of the process. */
const WORDS: readonly [RegExp, readonly string[]][] = [
  [/\bDate\.now\b|\bnew Date\(\)/, ['clock.ts']],
  [/\bprocess\.exit\b/, ['main.ts']],
  [/\bprocess\.argv\b|\bBun\.argv\b/, ['main.ts']],
  [/\bconsole\.|\bprocess\.std(out|err)\b/, ['log.ts', 'main.ts', 'cli/']],
]

const src = join(import.meta.dir, '../src')
const transpiler = new Bun.Transpiler({ loader: 'ts' })
const roomOf = (path: string) => relative(src, path).split('/')[0]!.replace(/\.ts$/, '')
const owns = (owner: string, file: string) =>
  owner.endsWith('/') ? file.startsWith(owner) : file === owner

const files = [...new Bun.Glob('**/*.ts').scanSync(src)].sort()

test.each(files)('%s opens only its own doors', async (file) => {
  const here = join(src, file)
  const text = await Bun.file(here).text()
  for (const { path } of transpiler.scanImports(text)) {
    if (path.startsWith('.')) {
      const room = roomOf(join(dirname(here), path))
      if (room !== roomOf(here))
        expect([room, MAY_OPEN[roomOf(here)]]).toEqual([room, expect.arrayContaining([room])])
    } else {
      const owner = OWNER[path] ?? OWNER[path.split('/')[0]!] ?? file
      expect([path, owns(owner, file)]).toEqual([path, true])
    }
  }
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
  for (const [word, owners] of WORDS)
    if (!owners.some((owner) => owns(owner, file)))
      expect([file, code.match(word)?.[0]]).toEqual([file, undefined])
})

test.each(files)('%s is short, or says why not', async (file) => {
  const text = await Bun.file(join(src, file)).text()
  const lines = text.split('\n').length
  if (lines > 300) expect(text.slice(0, text.indexOf('*/'))).toMatch(/over 300 lines because/i)
})
