/**
 * `bun run release [PLATFORM…]`: archives for other people's machines in dist/release, with checksums. All
 * platforms are made on whichever this one is, and the same commit gives the same bytes. docs/release.md
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { make, type Source } from './release/make.ts'
import { BUN_VERSION, PLATFORMS } from './release/platforms.ts'

const NAMES = PLATFORMS.map(({ name }) => name)
const USAGE = `usage: bun run release [--out DIRECTORY] [PLATFORM…]
  platforms: ${NAMES.join(', ')}; all of them if none is named
  --out      where the archives go, dist/release if it is not given`
/** For sources without a history: the earliest time that a .zip can say. */
const NO_DATE = Date.UTC(1980, 0) / 1000
const CHECKSUMS = 'SHA256SUMS'

function misused(message: string): never {
  console.error(`release: ${message}\n${USAGE}`)
  process.exit(2)
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        out: { type: 'string', default: 'dist/release' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error))
  }
}

/** What git says, or nothing where it cannot. */
function git(...words: readonly string[]): string | undefined {
  if (!Bun.which('git')) return undefined
  const { success, stdout } = Bun.spawnSync(['git', ...words], { stderr: 'ignore' })
  return success ? stdout.toString().trim() : undefined
}

/** SOURCE_DATE_EPOCH is what other people's builds say instead of a commit's time. */
function source(): Source {
  const given = process.env.SOURCE_DATE_EPOCH
  if (given !== undefined && !/^\d{1,10}$/.test(given))
    throw new Error(`SOURCE_DATE_EPOCH must be seconds since 1970, not ${given}`)
  if (git('status', '--porcelain'))
    console.error('release: there are changes that are not committed: this is not the commit')
  const seconds = Number(given ?? git('log', '-1', '--format=%ct') ?? NO_DATE)
  return { seconds, commit: git('rev-parse', 'HEAD') }
}

async function release(names: readonly string[], directory: string): Promise<void> {
  if (Bun.version !== BUN_VERSION)
    throw new Error(
      `Bun ${BUN_VERSION} makes releases, this is ${Bun.version}: npx bun@${BUN_VERSION} run release`,
    )
  const from = source()
  mkdirSync(directory, { recursive: true })
  // They would tell of files that this run replaces.
  rmSync(join(directory, CHECKSUMS), { force: true })
  const sums: string[] = []
  for (const platform of PLATFORMS.filter(({ name }) => names.length === 0 || names.includes(name)))
    for (const [name, bytes] of await make(platform, from, directory)) {
      put(directory, name, bytes)
      sums.push(`${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}  ${name}`)
      console.log(`${join(directory, name)}: ${(bytes.length / 2 ** 20).toFixed(1)} MiB`)
    }
  put(directory, CHECKSUMS, `${sums.join('\n')}\n`)
}

/** Under its name it is there whole or not at all. */
function put(directory: string, name: string, bytes: Uint8Array | string): void {
  const path = join(directory, name)
  writeFileSync(`${path}.part`, bytes)
  renameSync(`${path}.part`, path)
}

const { values, positionals } = commandLine()
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const unknown = positionals.find((name) => !NAMES.includes(name))
if (unknown !== undefined) misused(`there is no platform ${unknown}`)
const directory = resolve(values.out)
// Executables know the paths of their sources from here.
process.chdir(import.meta.dir)
try {
  await release(positionals, directory)
} catch (error) {
  const causes = error instanceof AggregateError ? error.errors : [error]
  for (const one of causes) console.error(`release: ${one instanceof Error ? one.message : one}`)
  process.exit(1)
}
