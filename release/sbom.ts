/** The bill of materials of one executable: CycloneDX 1.6 as JSON. */
import { LIBRARIES } from './bun-parts.ts'
import type { Package } from './packages.ts'
import { BUN_VERSION, type Platform } from './platforms.ts'

export interface Subject {
  readonly platform: Platform
  readonly version: string
  /** SHA-256 of the executable, in hexadecimal. */
  readonly sha256: string
  readonly packages: readonly Package[]
  /** Names of the packages that our own code imports. */
  readonly direct: readonly string[]
  /** Commit of our sources, if known. */
  readonly commit: string | undefined
  /** Time of the sources, since 1970. */
  readonly seconds: number
}

export function billOfMaterials(subject: Subject): string {
  const { platform, version, sha256, packages, direct, commit, seconds } = subject
  const tracker = `tracker@${version}/${platform.name}`
  const bun = `pkg:npm/%40oven/${platform.runtime}@${BUN_VERSION}`
  const known = new Map(packages.map((one) => [one.name, purl(one)]))
  const among = (names: readonly string[]) => names.flatMap((name) => known.get(name) ?? []).sort()
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: {
      timestamp: `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`,
      component: {
        type: 'application',
        'bom-ref': tracker,
        name: 'tracker',
        version,
        licenses: licences('AGPL-3.0-only'),
        hashes: [{ alg: 'SHA-256', content: sha256 }],
        properties: [
          { name: 'platform', value: platform.name },
          ...(commit === undefined ? [] : [{ name: 'commit', value: commit }]),
        ],
      },
    },
    components: [
      {
        type: 'platform',
        'bom-ref': bun,
        name: 'bun',
        version: BUN_VERSION,
        purl: bun,
        licenses: licences('MIT'),
        hashes: [{ alg: 'SHA-256', content: platform.sha256 }],
        // Bun does not say which versions.
        components: LIBRARIES.map(({ name, licence, url }) => ({
          type: 'library',
          'bom-ref': `${bun}#${encodeURIComponent(name)}`,
          name,
          licenses: [{ license: { name: licence } }],
          externalReferences: [{ type: 'vcs', url }],
        })),
      },
      ...packages.map((one) => ({
        type: 'library',
        'bom-ref': purl(one),
        name: one.name,
        version: one.version,
        purl: purl(one),
        licenses: licences(one.licence),
        hashes: [{ alg: 'SHA-512', content: one.sha512 }],
      })),
    ],
    dependencies: [
      { ref: tracker, dependsOn: [bun, ...among(direct)] },
      ...packages.map((one) => ({ ref: purl(one), dependsOn: among(one.uses) })),
    ],
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

const purl = ({ name, version }: Package): string =>
  `pkg:npm/${name.replace('@', '%40')}@${version}`

/** @param spdx a licence, or an expression of several */
const licences = (spdx: string): readonly object[] => [
  spdx.includes(' ') ? { expression: spdx } : { license: { id: spdx } },
]

/** The same executable always has the same UUID. */
function uuidOf(sha256: string): string {
  const variant = ((Number.parseInt(sha256.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return `${sha256.slice(0, 8)}-${sha256.slice(8, 12)}-8${sha256.slice(13, 16)}-${variant}${sha256.slice(18, 20)}-${sha256.slice(20, 32)}`
}
