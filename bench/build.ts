/** Trackers to compare with: finds them, or builds them in bench/out. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const HERE = import.meta.dir
export const OUT = join(HERE, 'out')
export const ROOT = join(HERE, '..')

/** Without Prometheus, whose crate a recent Rust refuses; with the profile of aquatic's repository. */
const AQUATIC = [
  '--no-default-features',
  '--features=mimalloc',
  '--config=profile.release.lto="thin"',
]
const CRATES = {
  aquatic_udp: AQUATIC,
  aquatic_http: AQUATIC,
  aquatic_ws: AQUATIC,
  'torrust-tracker': [],
}
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
  const install = ['cargo', 'install', '--locked', '--root', join(OUT, 'cargo')]
  for (const [crate, options] of Object.entries(CRATES))
    if (!find(crate)) run([...install, ...options, '--bin', crate, crate], OUT)
}

/** Path of a program: from the variable BENCH_NAME, from bench/out/cargo, or from PATH. */
export function find(name: string): string | undefined {
  const given = process.env[`BENCH_${name.toUpperCase().replaceAll('-', '_')}`]
  const built = join(OUT, 'cargo/bin', name)
  return given ?? (existsSync(built) ? built : (Bun.which(name) ?? undefined))
}

/** A certificate for this machine, made anew, as PEM files in a directory. */
export function certificate(room: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(room, 'cert.pem'), join(room, 'key.pem')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const name = ['-subj', '/CN=localhost', '-days', '2', '-keyout', key, '-out', cert]
  const { success, stderr } = Bun.spawnSync(['openssl', 'req', ...kind, ...name])
  if (!success) throw new Error(`openssl: ${stderr}`)
  return { cert, key }
}

/** A failure is reported only. */
function run(command: string[], cwd: string): void {
  // Rust code may use all that this processor has, as aquatic recommends.
  const env = { RUSTFLAGS: '-C target-cpu=native', ...process.env }
  const { success } = Bun.spawnSync(command, { cwd, env, stdout: 'inherit', stderr: 'inherit' })
  if (!success) console.error(`failed: ${command.join(' ')}`)
}
