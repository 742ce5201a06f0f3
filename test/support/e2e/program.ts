/**
 * The tracker as a process, from its source or compiled, as on a user's machine: in an empty directory, with neither Bun
 * nor Node in the PATH.
 */
import { beforeAll } from 'bun:test'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporaryDirectory } from '../temporary-directory.ts'
import { THOROUGH } from '../thorough.ts'
import { until } from '../until.ts'
import { parseLog, type Services } from './log-parser.ts'

const ROOT = join(import.meta.dir, '../../..')

export type Program = () => readonly string[]

export const source: Program = () => [process.execPath, join(ROOT, 'src/main.ts')]

/**
 * Makes a directory and builds into it, or waits for the process of this run that already does. A second process removes
 * the directory once the run has ended, however that happens. Neither is a child of this process: the runner kills its
 * children when a test or hook is late, and a killed build leaves an unfinished file in its working directory.
 */
const BUILDER = `
trap '' HUP INT TERM
room=$1 run=$2 && shift 2
if mkdir -m 700 "$room" 2> /dev/null; then
  (
    while kill -0 "$run"; do sleep 1; done
    left=60
    while [ ! -e "$room/status" ] && [ $((left -= 1)) -gt 0 ]; do sleep 1; done
    rm -rf "$room"
  ) < /dev/null > /dev/null 2>&1 &
  "$@" "$room/tracker" < /dev/null > /dev/null 2> "$room/complaint"
  echo $? > "$room/status.new" && mv "$room/status.new" "$room/status"
fi
while [ ! -e "$room/status" ]; do kill -0 "$run" || exit; sleep 0.1; done
cat "$room/complaint" >&2
exit "$(cat "$room/status")"
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

/** For tests that run with both where they are thorough. */
export const bothPrograms = (): readonly (readonly [name: string, Program])[] => {
  const program = ['the compiled program', compiled()] as const
  return THOROUGH ? [['the source', source], program] : [program]
}

async function compile(): Promise<string> {
  // The processes of a parallel run share one executable, named after the process that started them.
  const run = process.env.BUN_TEST_WORKER_ID === undefined ? process.pid : process.ppid
  const room = join(tmpdir(), `tracker-binary-${run}`)
  const child = Bun.spawn(
    ['sh', '-c', BUILDER, 'sh', room, `${run}`, process.execPath, 'build.ts'],
    { cwd: ROOT, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  )
  const complaint = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(complaint)
  return join(room, 'tracker')
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
    /** Whether standard output and error are a terminal. */
    terminal?: boolean
    /** Whether the reading end of its standard output is closed at once. */
    deaf?: boolean
    /** Where it runs; without it, in an empty directory that is removed with the process. */
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
    /** Its standard output and error so far. */
    text,
    /** Resolves when it has ended. */
    ended,
    /** Resolves when its standard output matches. */
    says: (pattern: RegExp): Promise<RegExpExecArray> =>
      until(
        () => `${pattern} in ${text.out}${text.err}`,
        () => {
          const found = pattern.exec(text.out)
          if (!found && child.exitCode !== null) throw new Error(`it ended: ${text.err}`)
          return found ?? undefined
        },
      ),
    /** The addresses of its services, once all are up. */
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
      // Taken for TCP: try another.
    } finally {
      udp.close()
    }
  }
}
