/** The npm packages inside an executable, from node_modules and the lock file. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Package {
  readonly name: string
  readonly version: string
  /** By its SPDX name. */
  readonly licence: string
  /** As shipped with the package. */
  readonly licenceText: string
  readonly homepage: string | undefined
  /** SHA-512 of the registry's tarball, in hexadecimal. */
  readonly sha512: string
  /** Names of its dependencies, inside the executable or not. */
  readonly uses: readonly string[]
}

/** @param files of the executable; paths from the working directory */
export function packagesAmong(files: readonly string[]): readonly Package[] {
  const directories = new Set<string>()
  for (const file of files) {
    const directory = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]
    if (directory) directories.add(directory)
  }
  const locked = lockedPackages()
  return Array.from(directories, (directory) => readPackage(directory, locked)).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )
}

/** SHA-512 in hexadecimal by `name@version`. */
function lockedPackages(): ReadonlyMap<string, string> {
  const lock = fields(Bun.JSONC.parse(readFileSync('bun.lock', 'utf8')))
  const found = new Map<string, string>()
  for (const entry of Object.values(fields(lock.packages))) {
    if (!Array.isArray(entry)) continue
    const [name, , , integrity] = entry
    const digest = /^sha512-(.+)$/.exec(String(integrity))?.[1]
    if (digest) found.set(String(name), Buffer.from(digest, 'base64').toString('hex'))
  }
  return found
}

function readPackage(directory: string, locked: ReadonlyMap<string, string>): Package {
  const about = fields(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')))
  const { name, version, license: licence, homepage, dependencies } = about
  if (typeof name !== 'string' || typeof version !== 'string' || typeof licence !== 'string')
    throw new Error(`${directory}/package.json lacks a name, a version or a licence`)
  const file = readdirSync(directory).find((one) => /^licen[cs]e/i.test(one))
  if (!file) throw new Error(`${directory} has no licence text, which releases must carry`)
  const sha512 = locked.get(`${name}@${version}`)
  if (!sha512) throw new Error(`${name} ${version} is not in bun.lock: bun install`)
  return {
    name,
    version,
    licence,
    licenceText: readFileSync(join(directory, file), 'utf8'),
    homepage: typeof homepage === 'string' ? homepage : undefined,
    sha512,
    uses: Object.keys(fields(dependencies ?? {})),
  }
}

/** @throws if `value` is not an object */
export function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${value}`)
  return { ...value }
}
