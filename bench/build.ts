/** Makes what benchmarks need in bench/out: the C programs, and trackers to compare with. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const HERE = import.meta.dir
export const OUT = join(HERE, 'out')
export const ROOT = join(HERE, '..')

const C_PROGRAMS = {
  'udp-load': ['udp-load.c', 'load.c'],
  'udp-echo': ['udp-echo.c'],
  'http-load': ['http-load.c', 'load.c'],
}
const CRATES = ['aquatic_udp', 'aquatic_http', 'torrust-tracker']
const NPM_TRACKER = 'bittorrent-tracker@11.2.3'

export function compile(): void {
  mkdirSync(OUT, { recursive: true })
  for (const [name, sources] of Object.entries(C_PROGRAMS))
    run(['cc', '-O2', '-Wall', '-Wextra', '-o', join(OUT, name), ...sources, '-lm'], HERE)
}

/** Path of the npm tracker's server module, installed on first use; undefined: that failed. */
export function npmTracker(): string | undefined {
  const room = join(OUT, 'npm')
  const library = join(room, 'node_modules/bittorrent-tracker/server.js')
  if (!existsSync(library)) {
    mkdirSync(room, { recursive: true })
    // Without a package.json there, npm would install into this project.
    writeFileSync(join(room, 'package.json'), '{ "private": true }\n')
    const quiet = ['--silent', '--ignore-scripts', '--no-audit', '--no-fund']
    run(['npm', 'install', ...quiet, '--prefix', room, NPM_TRACKER], room, 'continue')
  }
  return existsSync(library) ? library : undefined
}

/** Builds the Rust trackers. One that does not build is reported and skipped. */
export function installCrates(): void {
  for (const crate of CRATES)
    if (!find(crate))
      run(['cargo', 'install', '--locked', '--root', join(OUT, 'cargo'), crate], OUT, 'continue')
}

/** Path of a program: from the variable BENCH_NAME, from bench/out/cargo, or from PATH. */
export function find(name: string): string | undefined {
  const given = process.env[`BENCH_${name.toUpperCase().replaceAll('-', '_')}`]
  const built = join(OUT, 'cargo/bin', name)
  return given ?? (existsSync(built) ? built : (Bun.which(name) ?? undefined))
}

function run(command: string[], cwd: string, onFailure: 'stop' | 'continue' = 'stop'): void {
  const { success } = Bun.spawnSync(command, { cwd, stdout: 'inherit', stderr: 'inherit' })
  if (success) return
  const message = `failed: ${command.join(' ')}`
  if (onFailure === 'stop') throw new Error(message)
  console.error(message)
}
