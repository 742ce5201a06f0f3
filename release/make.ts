/** Makes the files of a release for one platform: the archive, its bill of materials, its source maps. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from '../build.ts'
import { dependencies, version } from '../package.json' with { type: 'json' }
import { contents, file } from './contents.ts'
import { withoutSignature } from './macho.ts'
import { notices } from './notices.ts'
import { type Entry, tarGz, zip } from './pack.ts'
import { packagesAmong } from './packages.ts'
import { BUN_VERSION, executableOf, isWindows, type Platform } from './platforms.ts'
import { billOfMaterials } from './sbom.ts'

/** The source of a release. */
export interface Source {
  /** Its time in seconds since 1970. */
  readonly seconds: number
  readonly commit: string | undefined
}

/**
 * Returns the files by their published names.
 * @param directory for temporary files
 */
export async function make(
  platform: Platform,
  { seconds, commit }: Source,
  directory: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const name = `tracker-${version}-${platform.name}`
  const { executable, files, maps } = await build(platform, join(directory, `${name}.part`))
  const packages = packagesAmong(files)
  const pack = isWindows(platform) ? zip : tarGz
  const inside = (top: string, entries: readonly Entry[]) =>
    entries
      .map((entry) => ({ ...entry, name: `${top}/${entry.name}` }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  const entries = [
    { name: executableOf(platform), bytes: executable, executable: true },
    file('THIRD-PARTY.md', notices(packages, commit)),
    ...contents(),
  ]
  const bill = billOfMaterials({
    platform,
    version,
    sha256: new Bun.CryptoHasher('sha256').update(executable).digest('hex'),
    packages,
    direct: Object.keys(dependencies),
    commit,
    seconds,
  })
  return new Map([
    [
      `${name}${isWindows(platform) ? '.zip' : '.tar.gz'}`,
      await pack(inside(name, entries), seconds),
    ],
    [`${name}.cdx.json`, new TextEncoder().encode(bill)],
    [`${name}.maps.tar.gz`, await tarGz(inside(`${name}.maps`, maps), seconds)],
  ])
}

async function build(platform: Platform, room: string) {
  // A run that was killed may have left it.
  rmSync(room, { recursive: true, force: true })
  try {
    const { target } = platform
    const outfile = (directory: string) => join(room, directory, executableOf(platform))
    const files = await compile(outfile('plain'), { target })
    checkRuntime(platform)
    const bytes = readFileSync(outfile('plain'))
    // An executable made with maps has them inside, too, so the published one is made without.
    await compile(outfile('maps'), { target, maps: true })
    const maps = readdirSync(join(room, 'maps'))
      .filter((name) => name.endsWith('.map'))
      .map((name) => file(name, readFileSync(join(room, 'maps', name))))
    const executable = platform.name === 'macos-x64' ? withoutSignature(bytes) : bytes
    return { executable, files, maps }
  } finally {
    rmSync(room, { recursive: true, force: true })
  }
}

/** Bun does not verify the runtime that it downloads. For its own platform it may have used itself. */
function checkRuntime({ runtime, sha256 }: Platform): void {
  const { stdout } = Bun.spawnSync([process.execPath, 'pm', 'cache'], { stderr: 'ignore' })
  const cached = join(stdout.toString().trim(), `${runtime}-v${BUN_VERSION}`)
  const path = existsSync(cached) ? cached : process.execPath
  const found = new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex')
  if (found !== sha256)
    throw new Error(
      `${path} is not the ${runtime} ${BUN_VERSION} that releases are made of (its SHA-256 is ${found}): remove it and try again`,
    )
}
