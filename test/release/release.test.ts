/** A whole release, made once, unpacked and run as those do who download it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sourceCommit } from '../../build.ts'
import { dependencies, version } from '../../package.json' with { type: 'json' }
import { fields } from '../../release/packages.ts'
import { PLATFORMS } from '../../release/platforms.ts'
import { readMaps, readTrace } from '../../release/trace.ts'
import { launch } from '../support/e2e/program.ts'
import { readElf, readMachO } from '../support/release/executables.ts'
import { THOROUGH } from '../support/thorough.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'

const ROOT = join(import.meta.dir, '../..')
/** Seven executables are made and packed, and their runtimes may have to be downloaded. */
const MAKE_MILLISECONDS = 400_000
const NAMES = PLATFORMS.map(({ name }) => name)
const room = mkdtempSync(join(tmpdir(), 'tracker-release-'))
const out = join(room, 'out')
const titleOf = (platform: string) => `tracker-${version}-${platform}`
const archiveOf = (platform: string) =>
  join(out, `${titleOf(platform)}${platform.startsWith('windows') ? '.zip' : '.tar.gz'}`)
/** Path in an unpacked archive. */
const at = (platform: string, name = '') => join(room, titleOf(platform), name)
const executableOf = (platform: string) =>
  at(platform, platform.startsWith('windows') ? 'tracker.exe' : 'tracker')
const commit = sourceCommit()?.slice(0, 12)
const shownVersion = commit ? `tracker ${version} (${commit})\n` : `tracker ${version}\n`
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
const hasUnzip = Bun.which('unzip') !== null
const UNPACKED = NAMES.filter((name) => hasUnzip || !name.startsWith('windows'))

/** Sizes of files seen while the archives were made, by name. */
const seen = new Map<string, Set<number>>()

async function release(
  cwd: string,
  directory: string,
  zone: string,
  words: readonly string[] = [],
): Promise<void> {
  const child = Bun.spawn([process.execPath, 'release.ts', '--out', directory, ...words], {
    cwd,
    stdout: 'ignore',
    stderr: 'pipe',
    env: { ...process.env, TZ: zone },
    timeout: MAKE_MILLISECONDS,
  })
  const looking = setInterval(() => look(directory), 1)
  const complaint = await new Response(child.stderr).text()
  clearInterval(looking)
  if ((await child.exited) !== 0) throw new Error(complaint)
}

function look(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.part')) continue
    const size = statSync(join(directory, name)).size
    seen.set(name, (seen.get(name) ?? new Set()).add(size))
  }
}

// It needs the runtimes of all platforms, 700 MB of them.
describe.skipIf(!THOROUGH)('a release', () => {
  beforeAll(async () => {
    mkdirSync(out)
    // Leftovers of an earlier run.
    writeFileSync(join(out, 'SHA256SUMS'), 'stale')
    mkdirSync(join(out, `${titleOf('linux-x64')}.part/plain`), { recursive: true })
    await release(ROOT, out, 'UTC')
    for (const platform of UNPACKED) {
      const unpack = platform.startsWith('windows') ? ['unzip', '-q'] : ['tar', '-xzpf']
      const { exitCode } = Bun.spawnSync([...unpack, archiveOf(platform)], { cwd: room })
      if (exitCode !== 0) throw new Error(`${unpack[0]} does not unpack ${platform}`)
    }
  }, MAKE_MILLISECONDS)
  afterAll(() => rmSync(room, { recursive: true, force: true }))

  test('the checksums list exactly the files that were made', () => {
    const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8')
    const listed = sums.trimEnd().split('\n')
    const files = readdirSync(out).filter((name) => name !== 'SHA256SUMS')
    expect(listed.map((line) => line.slice(66)).sort()).toEqual(files.sort())
    expect(files).toHaveLength(3 * NAMES.length)
    for (const line of listed)
      expect(line).toBe(`${sha256(readFileSync(join(out, line.slice(66))))}  ${line.slice(66)}`)
  })

  test('no half-written file is ever visible', () => {
    seen.delete('SHA256SUMS')
    expect(seen.size).toBe(3 * NAMES.length)
    for (const [name, sizes] of seen)
      expect([name, [...sizes]]).toEqual([name, [statSync(join(out, name)).size]])
  })

  describe.each(UNPACKED)('%s', (platform) => {
    test('contains all files', () => {
      const names = readdirSync(at(platform), { recursive: true, encoding: 'utf8' })
      const copied = [...new Bun.Glob('{docs,share}/**/*').scanSync(ROOT)]
      expect(names.filter((name) => statSync(at(platform, name)).isFile()).sort()).toEqual(
        [
          ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'],
          'THIRD-PARTY.md',
          ...['licences/LGPL-2.0.txt', 'licences/LGPL-2.1.txt'],
          ...['share/bash-completion/completions/tracker', 'share/man/man1/tracker.1'],
          ...['share/fish/vendor_completions.d/tracker.fish', 'share/zsh/site-functions/_tracker'],
          'share/powershell/tracker.ps1',
          executableOf(platform).slice(at(platform).length + 1),
          ...copied,
        ].sort(),
      )
      expect(copied).toContain('share/systemd/tracker.service')
      for (const name of ['README.md', 'LICENSE', ...copied])
        expect([name, sha256(readFileSync(at(platform, name)))]).toEqual([
          name,
          sha256(readFileSync(join(ROOT, name))),
        ])
      for (const name of names)
        expect([name, statSync(at(platform, name)).mode & 0o777]).toEqual([
          name,
          at(platform, name) === executableOf(platform) ||
          statSync(at(platform, name)).isDirectory()
            ? 0o755
            : 0o644,
        ])
    })

    test('no page links to a file that is not there', () => {
      const LINK = /\]\((?!https?:|#)([^)#]+)/g
      const links = [...new Bun.Glob('**/*.md').scanSync(at(platform))].flatMap((page) =>
        Array.from(readFileSync(at(platform, page), 'utf8').matchAll(LINK), ([, to]) =>
          join(page, '..', to!),
        ),
      )
      expect(links).toContain('docs/deploy.md')
      expect(links.filter((link) => !existsSync(at(platform, link)))).toEqual([])
    })

    test('lists every package, with licence and checksum', () => {
      const bill = fields(
        JSON.parse(readFileSync(join(out, `${titleOf(platform)}.cdx.json`), 'utf8')),
      )
      const components = bill.components as readonly { name: string; version: string }[]
      expect(components.length).toBeGreaterThan(20)
      const packages = Object.entries({ bun: Bun.version, ...dependencies })
      for (const [name, version] of packages)
        expect(components).toContainEqual(expect.objectContaining({ name, version }))
      const notices = readFileSync(at(platform, 'THIRD-PARTY.md'), 'utf8')
      for (const { name, version } of components.slice(1))
        expect(notices).toContain(`\n## ${name} ${version} (`)
      expect(bill).toMatchObject({
        bomFormat: 'CycloneDX',
        metadata: {
          component: { hashes: [{ content: sha256(readFileSync(executableOf(platform))) }] },
        },
      })
    })
  })

  test.each([
    ['linux-x64', 62, '/lib64/ld-linux-x86-64.so.2'],
    ['linux-arm64', 183, '/lib/ld-linux-aarch64.so.1'],
    ['linux-x64-musl', 62, '/lib/ld-musl-x86_64.so.1'],
    ['linux-arm64-musl', 183, '/lib/ld-musl-aarch64.so.1'],
  ])('%s is for its machine and C library', (platform, machine, interpreter) => {
    expect(readElf(readFileSync(executableOf(platform)))).toEqual({ machine, interpreter })
  })

  test('macos-arm64 has an ad-hoc signature that is valid', () => {
    const bytes = readFileSync(executableOf('macos-arm64'))
    const { machine, signature } = readMachO(bytes)
    expect(machine).toBe(0x0100000c)
    expect(signature).toMatchObject({ flags: 0x20002, wrong: 0 })
    // Everything before the signature.
    expect(signature?.covers).toBe(signature?.start)
    expect(signature?.pages).toBeGreaterThan(10_000)
  })

  test('macos-x64 is not signed, and its last segment ends with the file', () => {
    const bytes = readFileSync(executableOf('macos-x64'))
    const { machine, signature, end, commands } = readMachO(bytes)
    expect([machine, signature, end]).toEqual([0x01000007, undefined, bytes.length])
    expect(commands).toBeGreaterThan(10)
  })

  test.skipIf(!hasUnzip)('windows-x64 is a program for x64', () => {
    const bytes = readFileSync(executableOf('windows-x64'))
    const header = bytes.readUInt32LE(0x3c)
    expect(bytes.toString('latin1', 0, 2)).toBe('MZ')
    expect(bytes.toString('latin1', header, header + 4)).toBe('PE\0\0')
    expect(bytes.readUInt16LE(header + 4)).toBe(0x8664)
  })

  // The executable for this machine, as a user has downloaded it.
  const HERE = `linux-${process.arch}`
  const program = () => [executableOf(HERE)]

  describe.skipIf(process.platform !== 'linux')('the executable of this machine', () => {
    test('prints its version without any other file', () => {
      const { exitCode, stdout } = Bun.spawnSync([...program(), '--version'], {
        cwd: room,
        env: {},
      })
      expect([exitCode, stdout.toString()]).toEqual([0, shownVersion])
    })

    test('serves with the template of its archive, answers an announce and stops', async () => {
      const template = at(HERE, 'share/default/config/tracker.container.no-persistence.toml')
      const own = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'
      await using run = await launch(program, {
        words: ['--config', template],
        env: {
          [`${own}UDP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
          [`${own}HTTP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
          [`${own}HEALTH_CHECK_API__BIND_ADDRESS`]: '127.0.0.1:0',
        },
      })
      const { udp_trackers } = await run.services()
      using peer = await udpPeer(Number(/\d+$/.exec(udp_trackers[0]!)![0]))
      expect(await peer.announce(hashOf(1))).toMatchObject({ seeders: 1, leechers: 0 })
      expect(await run.stop()).toMatchObject({ code: 0 })
    })

    test('has stack traces that the maps of its release make readable', async () => {
      const preload = join(room, 'preload.js')
      writeFileSync(preload, "process.stdout.write = () => { throw new Error('unwritable') }")
      const { exitCode, stderr } = Bun.spawnSync([...program(), 'config', 'print'], {
        cwd: room,
        env: { BUN_OPTIONS: `--preload=${preload}` },
      })
      const trace = stderr.toString()
      expect([exitCode, trace]).toEqual([1, expect.stringContaining('/$bunfs/root/')])
      const maps = await readMaps(await Bun.file(join(out, `${titleOf(HERE)}.maps.tar.gz`)).bytes())
      const read = readTrace(trace, maps)
      expect(read).not.toContain('$bunfs')
      const line = Number(/at print \(src\/main\.ts:(\d+):\d+\)/.exec(read)?.[1])
      const source = readFileSync(join(ROOT, 'src/main.ts'), 'utf8').split('\n')
      expect(source[line - 1]).toContain('process.stdout.write')
    })

    const old = Bun.which('qemu-x86_64') ?? Bun.which('qemu-x86_64-static')
    test.skipIf(!old || process.arch !== 'x64')('runs on a processor without AVX', () => {
      const words = [old!, '-cpu', 'Nehalem', ...program(), '--version']
      expect(Bun.spawnSync(words, { env: {} }).stdout.toString()).toBe(shownVersion)
    })
  })

  test('a failed run leaves no incomplete archive and no checksums of another run', async () => {
    const directory = join(room, 'fails')
    const archive = `${titleOf('linux-x64')}.tar.gz`
    // The temporary path of the archive is taken.
    mkdirSync(join(directory, `${archive}.part`), { recursive: true })
    writeFileSync(join(directory, 'SHA256SUMS'), 'of another run')
    const run = release(ROOT, directory, 'UTC', ['linux-x64'])
    await expect(run).rejects.toThrow(/^release: EISDIR.*$/m)
    expect(readdirSync(directory)).toEqual([`${archive}.part`])
  })

  const cloned = existsSync(join(ROOT, '.git')) && Bun.which('git') !== null

  test.skipIf(!cloned)(
    'a clone elsewhere, in another time zone, gives the same bytes',
    async () => {
      const elsewhere = join(room, 'some/where else')
      const clone = Bun.spawnSync(['git', 'clone', '--quiet', '--shared', ROOT, elsewhere])
      expect(clone.exitCode).toBe(0)
      // With the changes that are not committed yet.
      const parts = ['src', 'share', 'docs', 'release', 'build.ts', 'release.ts', 'package.json']
      for (const name of [...parts, 'bun.lock', 'README.md', 'CHANGELOG.md']) {
        rmSync(join(elsewhere, name), { recursive: true, force: true })
        cpSync(join(ROOT, name), join(elsewhere, name), { recursive: true })
      }
      const installed = Bun.spawnSync(
        [process.execPath, 'install', '--frozen-lockfile', '--silent'],
        { cwd: elsewhere },
      )
      expect(installed.exitCode).toBe(0)
      await release(elsewhere, join(room, 'again'), 'Asia/Tokyo', ['linux-x64'])
      const [here, there] = [out, join(room, 'again')].map((directory) =>
        readFileSync(join(directory, 'SHA256SUMS'), 'utf8').split('\n').slice(0, 3),
      )
      expect(there).toHaveLength(3)
      expect(there).toEqual(here!)
    },
    120_000,
  )
})
