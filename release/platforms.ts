/** The platforms of releases, and the Bun that each executable is made of. */
import type { Target } from '../build.ts'

/** Only this version gives the same executables, byte for byte. */
export const BUN_VERSION = '1.4.4'

export interface Platform {
  readonly name: string
  readonly target: Target
  /** The npm package with Bun for this platform. */
  readonly runtime: string
  /** SHA-256 of the program in that package, at `BUN_VERSION`. */
  readonly sha256: string
}

export const PLATFORMS: readonly Platform[] = [
  {
    name: 'linux-x64',
    target: 'bun-linux-x64-baseline',
    runtime: 'bun-linux-x64-baseline',
    sha256: '10702245766b225e70bbf6235fd6b47214fd94b4760d00ffaed8ab0df57ac235',
  },
  {
    name: 'linux-arm64',
    target: 'bun-linux-arm64',
    runtime: 'bun-linux-aarch64',
    sha256: '354c2b049c716aca07b2e5cddb887928ac58950675d1258bb6312083917793b6',
  },
  {
    name: 'linux-x64-musl',
    target: 'bun-linux-x64-baseline-musl',
    runtime: 'bun-linux-x64-musl-baseline',
    sha256: '29a31375a72f97c7e3fc25dd57d7dde88da5907aa8970808f57f91e0711bdad2',
  },
  {
    name: 'linux-arm64-musl',
    target: 'bun-linux-arm64-musl',
    runtime: 'bun-linux-aarch64-musl',
    sha256: 'a6a3d99a48600b59597070d2d2ff8d37b65975b8aab247ee3479b1eb33d000a6',
  },
  {
    name: 'macos-arm64',
    target: 'bun-darwin-arm64',
    runtime: 'bun-darwin-aarch64',
    sha256: '0a2237cdcfa0d16ef501d9acca9f0026309ef348bea7393a64e8d1e3609565cc',
  },
  {
    name: 'macos-x64',
    target: 'bun-darwin-x64',
    runtime: 'bun-darwin-x64',
    sha256: 'c35307c7d45d65c5a385a58c4a6cb0bb9499e4e626abdee207c177a77ba666ab',
  },
  {
    name: 'windows-x64',
    target: 'bun-windows-x64-baseline',
    runtime: 'bun-windows-x64-baseline',
    sha256: 'cb1d8e6564e655e49d30cead359750a1cbbd12f42651caa4b62244d7bd93c244',
  },
]

export const isWindows = ({ name }: Platform): boolean => name.startsWith('windows-')
export const executableOf = (platform: Platform): string =>
  isWindows(platform) ? 'tracker.exe' : 'tracker'
