/** Trackers to compare with: finds them, or builds them in bench/out. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const HERE = import.meta.dir
export const OUT = join(HERE, 'out')
export const ROOT = join(HERE, '..')

const CRATES = ['aquatic_udp', 'aquatic_http', 'torrust-tracker']
const NPM_TRACKER = 'bittorrent-tracker@11.2.3'

/** Path of the npm tracker's server module, installed on first use; undefined: that failed. */
export function npmTracker(): string | undefined {
  const room = join(OUT, 'npm')
  const library = join(room, 'node_modules/bittorrent-tracker/server.js')
  if (!existsSync(library)) {
    mkdirSync(room, { recursive: true })
    // Without a package.json there, npm would install into this project.
    writeFileSync(join(room, 'package.json'), '{ "private": true }\n')
    const quiet = ['--silent', '--ignore-scripts', '--no-audit', '--no-fund']
    run(['npm', 'install', ...quiet, '--prefix', room, NPM_TRACKER], room)
  }
  return existsSync(library) ? library : undefined
}

/** Builds the Rust trackers. One that does not build is reported and skipped. */
export function installCrates(): void {
  mkdirSync(OUT, { recursive: true })
  for (const crate of CRATES)
    if (!find(crate))
      run(['cargo', 'install', '--locked', '--root', join(OUT, 'cargo'), crate], OUT)
}

/** Path of a program: from the variable BENCH_NAME, from bench/out/cargo, or from PATH. */
export function find(name: string): string | undefined {
  const given = process.env[`BENCH_${name.toUpperCase().replaceAll('-', '_')}`]
  const built = join(OUT, 'cargo/bin', name)
  return given ?? (existsSync(built) ? built : (Bun.which(name) ?? undefined))
}

/** A failure is reported only. */
function run(command: string[], cwd: string): void {
  const { success } = Bun.spawnSync(command, { cwd, stdout: 'inherit', stderr: 'inherit' })
  if (!success) console.error(`failed: ${command.join(' ')}`)
}
