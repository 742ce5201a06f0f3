/** The image, built from the Dockerfile, and containers of it, without a container engine. */
import { beforeAll } from 'bun:test'
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch } from '../e2e/program.ts'
import { runProgram } from '../run-program.ts'
import { sharedDirectory, temporaryDirectory } from '../temporary-directory.ts'
import { PATIENCE_MILLISECONDS, until } from '../until.ts'

const BUILD_SECONDS = 240

const TOOLS = ['buildah', 'unshare', 'nsenter', 'setpriv', 'ldd']

/** Whether an image can be built and run here: it takes root and the tools of Debian. */
export const canRunImages =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  TOOLS.every((tool) => Bun.which(tool) !== null) &&
  Bun.spawnSync(['unshare', '--mount', '--pid', '--fork', 'true']).success

/** The part of the image's configuration that tests look at. */
export interface ImageConfiguration {
  readonly User: string
  readonly Env: readonly string[]
  readonly ExposedPorts: object
  readonly Volumes: object
  readonly WorkingDir: string
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly StopSignal: string
  readonly Healthcheck: object & { readonly Test: readonly string[] }
  readonly Labels: Readonly<Record<string, string>>
}

export interface Image {
  /** The directory with its files. */
  readonly root: string
  readonly configuration: ImageConfiguration
}

/** Builds the image before the first test of the calling file, and removes it after the last. */
export function built(): () => Image {
  const storage = sharedDirectory()
  let image: Image | undefined
  beforeAll(async () => {
    if (!canRunImages) return
    const cache = Bun.spawnSync([process.execPath, 'pm', 'cache']).stdout.toString().trim()
    const { code, out, err } = await runProgram(
      [join(import.meta.dir, 'image.sh'), storage.path, process.execPath, cache],
      { env: process.env as Record<string, string>, milliseconds: BUILD_SECONDS * 1000 },
    )
    if (code !== 0) throw new Error(err)
    const about = await Bun.file(storage.at('image.json')).json()
    image = { configuration: about.Docker.config, root: out.trim() }
  }, BUILD_SECONDS * 1000)
  return () => image!
}

const VOLUMES = {
  lib: '/var/lib/torrust/tracker',
  log: '/var/log/torrust/tracker',
  etc: '/etc/torrust/tracker',
}

/** Three empty directories to mount, which belong to `owner`; removed when the scope ends. */
export function volumes(owner = 1000) {
  const directory = temporaryDirectory()
  for (const name of Object.keys(VOLUMES)) {
    mkdirSync(directory.at(name))
    chownSync(directory.at(name), owner, owner)
  }
  return {
    ...directory,
    /** Where a file of a volume is on this machine. */
    at: (name: keyof typeof VOLUMES, file = '') => directory.at(name, file),
  }
}

export type Volumes = ReturnType<typeof volumes>

/**
 * Starts a container with the image's configuration, but for what the test changes. `readOnly` names volumes
 * that cannot be written; `env` is added to the image's own.
 */
export async function container(
  image: Image,
  mounted: Volumes,
  {
    user = 1000,
    env = {},
    readOnly = [],
    words = image.configuration.Cmd,
  }: {
    user?: number
    env?: Readonly<Record<string, string>>
    readOnly?: readonly string[]
    words?: readonly string[]
  } = {},
) {
  const own = Object.fromEntries(image.configuration.Env.map((line) => splitAt(line, '=')))
  const mounts = Object.entries(VOLUMES).map(
    ([name, path]) => `${join(mounted.path, name)}:${path}${readOnly.includes(name) ? ':ro' : ''}`,
  )
  const program = () => [
    ...[Bun.which('unshare')!, '--mount', '--pid', '--fork', '--kill-child'],
    ...[join(import.meta.dir, 'run.sh'), image.root, `${user}`, ...mounts, '--'],
    ...image.configuration.Entrypoint,
  ]
  const run = await launch(program, { words, env: { ...own, ...env } })

  /** The id of its first process on this machine; undefined: it has ended, or not started yet. */
  const look = (): number | undefined => {
    const path = `/proc/${run.child.pid}/task/${run.child.pid}/children`
    const children = existsSync(path) ? readFileSync(path, 'utf8') : ''
    return Number.parseInt(children, 10) || undefined
  }
  const first = (): number => {
    const pid = look()
    if (pid === undefined) throw new Error(`the container is not running: ${run.text.err}`)
    return pid
  }
  return {
    ...run,
    first,
    /** Runs a command of the image in the container, as its health check does. */
    exec: (command: readonly string[]) =>
      Bun.spawnSync(
        [
          ...['nsenter', '--target', `${first()}`, '--mount', '--pid', '--root', '--wd'],
          ...['--setgid', `${user}`, '--setuid', `${user}`, '--', ...command],
        ],
        { env: { PATH: process.env.PATH, ...own, ...env }, timeout: PATIENCE_MILLISECONDS },
      ),
    /** Like `docker stop`. */
    async stop() {
      process.kill(first(), 'SIGTERM')
      await until('it to end', () => run.child.exitCode !== null)
      return await run.ended()
    },
    async [Symbol.asyncDispose]() {
      // A process that has changed its user outlives its parent.
      const pid = look()
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      await run[Symbol.asyncDispose]()
    },
  }
}

function splitAt(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return [text.slice(0, at), text.slice(at + 1)]
}
