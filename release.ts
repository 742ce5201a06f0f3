/**
 * `bun run release [PLATFORM…]`: archives with checksums in dist/release. One machine makes all platforms, and the
 * same commit gives the same bytes. See docs/release.md.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { git, sourceCommit } from './build.ts'
import { make, type Source } from './release/make.ts'
import { BUN_VERSION, PLATFORMS } from './release/platforms.ts'

const NAMES = PLATFORMS.map(({ name }) => name)
const USAGE = `usage: bun run release [--out DIRECTORY] [PLATFORM…]
  platforms: ${NAMES.join(', ')}; all of them by default
  --out      directory for the archives, dist/release by default`
/** The time of sources without a history: the earliest that a .zip can hold. */
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

/** SOURCE_DATE_EPOCH, the convention of reproducible builds, replaces the time of the commit. */
function source(): Source {
  const given = process.env.SOURCE_DATE_EPOCH
  if (given !== undefined && !/^\d{1,10}$/.test(given))
    throw new Error(`SOURCE_DATE_EPOCH must be seconds since 1970, not ${given}`)
  const commit = sourceCommit()
  if (commit && git('status', '--porcelain'))
    console.error('release: uncommitted changes: the archives are not those of the commit')
  const time = commit && git('log', '-1', '--format=%ct', commit)
  return { seconds: Number(given ?? time ?? NO_DATE), commit }
}

async function release(names: readonly string[], directory: string): Promise<void> {
  if (Bun.version !== BUN_VERSION)
    throw new Error(
      `Bun ${BUN_VERSION} makes releases, this is ${Bun.version}: npx bun@${BUN_VERSION} run release`,
    )
  const from = source()
  mkdirSync(directory, { recursive: true })
  // Old checksums would belong to files that this run replaces.
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

/** Under its final name a file is complete. */
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
if (unknown !== undefined) misused(`unknown platform ${unknown}`)
const directory = resolve(values.out)
// Executables contain the paths of their sources, relative to the working directory.
process.chdir(import.meta.dir)
try {
  await release(positionals, directory)
} catch (error) {
  const causes = error instanceof AggregateError ? error.errors : [error]
  for (const one of causes) console.error(`release: ${one instanceof Error ? one.message : one}`)
  process.exit(1)
}
