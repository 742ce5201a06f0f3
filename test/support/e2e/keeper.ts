/**
 * A tracker process that keeps keys, whitelist and counts in any database, with a management API, as its operator and
 * clients see it.
 */

import { expect } from 'bun:test'
import type { DatabaseConfig } from '../../../src/config/model.ts'
import type { HealthReport } from '../../../src/servers/health-api.ts'
import { configuration, listeners } from '../configuration.ts'
import { launch, type Program } from './program.ts'

export const TOKEN = 'a token that must stay secret'

export type Keeper = Awaited<ReturnType<typeof startKeeper>>

export type KeeperSetting = {
  readonly database: DatabaseConfig
  readonly directory?: string
  readonly isPrivate?: boolean
  readonly listed?: boolean
  readonly workers?: number
  /** Tables below `[core]`. */
  readonly tables?: string
}

/** `udp`, `http`, `api`, `health`: ports; 0 = any. */
export function keeperToml(
  { database, isPrivate = false, listed = false, workers = 2, tables = '' }: KeeperSetting,
  ports = { udp: 0, http: 0, api: 0, health: 0 },
): string {
  const rows = Object.entries(database).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
  return configuration({
    isPrivate,
    listed,
    workers,
    core: `
[core.database]
${rows.join('\n')}
[core.tracker_policy]
persistent_torrent_completed_stat = true
${tables}`,
    rest: `
${listeners(ports.udp, ports.http, ports.health)}
[http_api]
bind_address = "127.0.0.1:${ports.api}"
access_tokens = { admin = "${TOKEN}" }
`,
  })
}

export async function startKeeper(program: Program, setting: KeeperSetting) {
  const run = await launch(program, {
    toml: keeperToml(setting),
    ...(setting.directory !== undefined && { directory: setting.directory }),
  })
  const { udp_trackers, http_trackers, health_checks } = await run.services()
  const [, api] = await run.says(/INFO API:\S* Started on: (http\S+)/)
  return {
    run,
    udpPort: Number(udp_trackers[0]!.split(':')[1]),
    http: http_trackers[0]!,

    async call(method: string, path: string, body?: unknown) {
      const answer = await fetch(`${api}/api/v1/${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const { status, headers } = answer
      return { status, type: headers.get('content-type'), text: await answer.text() }
    },
    /** The JSON of the answer. Rejects unless the status is 200. */
    async must(method: string, path: string, body?: unknown) {
      const { status, text } = await this.call(method, path, body)
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`)
      return JSON.parse(text)
    },

    async health(): Promise<HealthReport> {
      return (await (await fetch(health_checks[0]!)).json()) as HealthReport
    },

    /** Ends it as an operator does. Its output must hold none of the secrets. */
    async stop(secrets: readonly string[] = []) {
      const ended = await run.stop()
      for (const secret of [TOKEN, ...secrets]) expect(ended.out + ended.err).not.toContain(secret)
      return ended
    },
    [Symbol.asyncDispose]: () => run[Symbol.asyncDispose](),
  }
}
