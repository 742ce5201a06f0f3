/**
 * The tracker as a process of its own, from its source or compiled, the way a stranger runs it: in an
 * empty directory, with neither Bun nor Node to be found.
 */
import { beforeAll } from 'bun:test'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporaryDirectory } from '../temporary-directory.ts'
import { until } from '../until.ts'
import { parseLog, type Services } from './log-parser.ts'

const ROOT = join(import.meta.dir, '../../..')

export type Program = () => readonly string[]

export const source: Program = () => [process.execPath, join(ROOT, 'src/main.ts')]

/**
 * Makes a directory for the build, and waits for it. Beside it waits what removes the directory when this process
 * has ended, in whatever way. Neither that nor the build is a child of this process: those the runner kills when a
 * test or hook is late, and a build that is killed leaves its unfinished file where it works.
 */
const BUILDER = `
trap '' HUP INT TERM
room=$1 run=$2 && shift 2
mkdir -m 700 "$room" || exit
"$@" < /dev/null > /dev/null & build=$!
(
  while kill -0 "$run"; do sleep 1; done
  left=60
  while kill -0 "$build" && [ $((left -= 1)) -gt 0 ]; do sleep 1; done
  rm -rf "$room"
) < /dev/null > /dev/null 2>&1 &
wait "$build"
`
let building: Promise<string> | undefined

/** Compiles the tracker before the first test of a run that wants it; gone when the run is over. */
export function compiled(): Program {
  let path = ''
  beforeAll(async () => {
    building ??= compile()
    path = await building
  })
  return () => [path]
}

async function compile(): Promise<string> {
  const room = join(tmpdir(), `tracker-binary-${crypto.randomUUID()}`)
  const path = join(room, 'tracker')
  const child = Bun.spawn(
    ['sh', '-c', BUILDER, 'sh', room, `${process.pid}`, process.execPath, 'build.ts', path],
    { cwd: ROOT, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  )
  const complaint = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(complaint)
  return path
}

export type Run = Awaited<ReturnType<typeof launch>>

export async function launch(
  program: Program,
  {
    words = [],
    toml,
    env = {},
    terminal = false,
    deaf = false,
    directory,
  }: {
    words?: readonly string[]
    toml?: string
    env?: Readonly<Record<string, string>>
    /** Both its outputs are a terminal. */
    terminal?: boolean
    /** Nobody reads its standard output: the other end is closed before it says a word. */
    deaf?: boolean
    /** Where it runs, instead of an empty directory that is gone with it. */
    directory?: string
  } = {},
) {
  const own = directory === undefined ? temporaryDirectory() : undefined
  const cwd = directory ?? own!.path
  const text = { out: '', err: '' }
  const collect = (into: 'out' | 'err') => (bytes: Uint8Array) => {
    text[into] += Buffer.from(bytes).toString()
  }
  const child = Bun.spawn([...program(), ...words], {
    cwd,
    env: {
      PATH: '/nonexistent',
      ...(toml !== undefined && { TORRUST_TRACKER_CONFIG_TOML: toml }),
      ...env,
    },
    ...(terminal
      ? { terminal: { data: (_terminal: unknown, bytes: Uint8Array) => collect('out')(bytes) } }
      : { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' }),
  })
  const drain = async (stream: unknown, into: 'out' | 'err') => {
    for await (const bytes of stream as ReadableStream<Uint8Array>) collect(into)(bytes)
  }
  if (deaf) await (child.stdout as unknown as ReadableStream).cancel()
  const collected = terminal
    ? Promise.resolve()
    : Promise.all([deaf || drain(child.stdout, 'out'), drain(child.stderr, 'err')])
  const ended = async () => {
    const code = await child.exited
    await collected
    return { code, out: text.out, err: text.err }
  }
  return {
    cwd,
    child,
    /** What it said so far on its standard output and error. */
    text,
    /** Resolves when it has ended, with all it said. */
    ended,
    /** Resolves when it has said something, on its standard output, that matches. */
    says: (pattern: RegExp): Promise<RegExpExecArray> =>
      until(
        () => `${pattern} in ${text.out}${text.err}`,
        () => {
          const found = pattern.exec(text.out)
          if (!found && child.exitCode !== null) throw new Error(`it ended: ${text.err}`)
          return found ?? undefined
        },
      ),
    /** Where it serves, once it does. */
    async services(): Promise<Services> {
      await this.says(/HEALTH CHECK API:\S* Started on: .*\r?\n/)
      return parseLog(text.out)
    },
    async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM') {
      child.kill(signal)
      return await ended()
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL')
      await child.exited
      own?.[Symbol.dispose]()
    },
  }
}

/** A TCP and UDP port that is free now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const udp = await Bun.udpSocket({ hostname: '127.0.0.1' })
    const { port } = udp
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true)
      return port
    } catch {
      // Taken for TCP: another one.
    } finally {
      udp.close()
    }
  }
}
