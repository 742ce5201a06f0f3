/** A running tracker, and the commands of its operator. */
import { CommandLine, misuseMessage } from '../../../src/cli/command-line.ts'
import { EXIT, type Host } from '../../../src/cli/host.ts'
import { Misuse } from '../../../src/cli/invocation.ts'
import { TRACKER } from '../../../src/commands/command-table.ts'
import { certify } from '../certificate.ts'
import { capturedHost } from '../cli/captured-host.ts'
import { startTracker } from '../started-tracker.ts'
import { type Files, temporaryDirectory } from '../temporary-directory.ts'

export const TOKEN = 'a-token-of-the-tests'

/** Runs a command as `main.ts` does, in this process. */
export async function runCommand(words: readonly string[], changes: Partial<Host> = {}) {
  const { host, said } = capturedHost()
  const line = new CommandLine(TRACKER)
  let code: number
  try {
    line.read(words).finish()
    code = await line.command.run!(line, { ...host, ...changes }, TRACKER)
  } catch (error) {
    if (!(error instanceof Misuse)) throw error
    host.complain(`${misuseMessage(line.name, error.message)}\n`)
    code = EXIT.misuse
  }
  return { code, ...said }
}

const http = (port: number, tls: string, tokens: string) => `
[http_api]
bind_address = "127.0.0.1:${port}"
${tls}
[http_api.access_tokens]
${tokens}`

type Settings = {
  readonly secure?: boolean
  readonly listed?: boolean
  readonly isPrivate?: boolean
  readonly database?: boolean
  /** Of `tracker.toml`, in place of the token of the tracker. */
  readonly tokens?: string
  readonly files?: Files
}

/**
 * A tracker with an API, and a directory whose `tracker.toml` is what it was started with, but for the ports that it
 * got. `run` runs a command there.
 */
export async function runningTracker({
  secure = false,
  listed = false,
  isPrivate = false,
  database = true,
  tokens = `admin = "${TOKEN}"`,
  files = {},
}: Settings = {}) {
  const directory = temporaryDirectory(files)
  const made = secure ? await certify(directory.path, 'api') : undefined
  const tls = made
    ? `tls_config = { ssl_cert_path = "${made.cert}", ssl_key_path = "${made.key}" }`
    : ''
  const core = database
    ? `[core.database]\ndriver = "sqlite3"\npath = "${directory.at('tracker.db')}"\n`
    : ''
  const tables = (udp: number, api: number, health: number, own: string) => `
[[udp_trackers]]
bind_address = "127.0.0.1:${udp}"
[health_check_api]
bind_address = "127.0.0.1:${health}"
${http(api, tls, own)}`
  const tracker = await startTracker({
    listed,
    isPrivate,
    core,
    rest: tables(0, 0, 0, `admin = "${TOKEN}"`),
  })
  const [udp = 0] = tracker.ports.udp
  const apiPort = tracker.apiPort!
  directory.write({
    'tracker.toml': `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = ${listed}
private = ${isPrivate}
${core}${tables(udp, apiPort, tracker.healthPort, tokens)}`,
  })
  const scheme = secure ? 'https' : 'http'
  return {
    ...tracker,
    directory,
    udp,
    url: `${scheme}://127.0.0.1:${apiPort}`,
    run: (words: readonly string[], changes: Partial<Host> = {}) =>
      runCommand(words, { cwd: directory.path, ...changes }),
    async [Symbol.asyncDispose]() {
      await tracker[Symbol.asyncDispose]()
      directory[Symbol.dispose]()
    },
  }
}
