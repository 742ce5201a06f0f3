/** A tracker as a process, with a small load, whose dashboard is looked at in a browser. */
import { freePort, launch, type Program, source } from '../e2e/program.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { connected } from '../udp-client.ts'

export const TOKENS = { all: 'AdminToken', read: 'ReaderToken', metrics: 'ScraperToken' } as const

const tomlOf = (apiPort: number, udpPort: number): string => `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = false
private = false
[core.database]
path = "tracker.db"
[runtime]
workers = 2
max_memory = "64MiB"
[[udp_trackers]]
bind_address = "127.0.0.1:${udpPort}"
[[http_trackers]]
bind_address = "127.0.0.1:0"
[http_api]
bind_address = "127.0.0.1:${apiPort}"
[http_api.access_tokens]
admin = "${TOKENS.all}"
reader = { token = "${TOKENS.read}", scope = "read" }
scraper = { token = "${TOKENS.metrics}", scope = "metrics" }
[health_check_api]
bind_address = "127.0.0.1:0"
`

export type DashboardTracker = Awaited<ReturnType<typeof startWithDashboard>>

/** Ready when this resolves; on the same ports whenever it is started again. */
export async function startWithDashboard(program: Program = source) {
  const room = temporaryDirectory()
  const [apiPort, udpPort] = [await freePort(), await freePort()]
  const path = room.at('tracker.toml')
  const configure = (change = (toml: string): string => toml) =>
    room.write({ 'tracker.toml': change(tomlOf(apiPort, udpPort)) })
  let httpUrl = ''
  const begin = async () => {
    const run = await launch(program, {
      directory: room.path,
      env: { TORRUST_TRACKER_CONFIG_TOML_PATH: path },
    })
    httpUrl = (await run.services()).http_trackers[0]!
    return run
  }
  configure()
  let run = await begin()
  return {
    url: `http://127.0.0.1:${apiPort}`,
    udpPort,
    /** What is in the configuration, which is `change`d; without it, as in the beginning. */
    configure,
    /** Of its HTTP listener, which has another port after each start. */
    httpUrl: () => httpUrl,
    /** The JSON of the answer. */
    async call(method: string, target: string, body?: unknown): Promise<unknown> {
      const text = await this.callText(
        method,
        target,
        body === undefined ? undefined : JSON.stringify(body),
      )
      return JSON.parse(text)
    },
    async callText(method: string, target: string, body?: string): Promise<string> {
      const reply = await fetch(`${this.url}/api/v1/${target}`, {
        method,
        headers: { authorization: `Bearer ${TOKENS.all}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body }),
      })
      const text = await reply.text()
      if (!reply.ok) throw new Error(`${method} ${target}: ${reply.status} ${text}`)
      return text
    },
    /** Announces one peer for each of the torrents, and `more` for the first, some with names that would be markup. */
    async load(hashes: readonly Uint8Array[], more: readonly string[]) {
      using client = await connected(udpPort)
      let port = 2_000
      for (const infoHash of hashes) await client.announce({ infoHash, port: port++, left: 1 })
      for (const id of more)
        await client.announce({
          infoHash: hashes[0]!,
          peerId: Buffer.from(id.padEnd(20, '-').slice(0, 20)),
          port: port++,
        })
    },
    /** It does nothing until it goes on, and its connections stay open. */
    pause: () => run.child.kill('SIGSTOP'),
    goOn: () => run.child.kill('SIGCONT'),
    async stop() {
      await run.stop()
    },
    async start() {
      run = await begin()
    },
    async [Symbol.asyncDispose]() {
      await run[Symbol.asyncDispose]()
      room[Symbol.dispose]()
    },
  }
}
