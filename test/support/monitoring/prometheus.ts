/** A real Prometheus that reads share/prometheus, on a port that the system chose, and what it answers. */
import { join } from 'node:path'
import { type Files, temporaryDirectory } from '../temporary-directory.ts'
import { until } from '../until.ts'

const SHARE = join(import.meta.dir, '../../../share/prometheus')

export const shared = (name: string): Promise<string> => Bun.file(join(SHARE, name)).text()

/** Why tests that need it are skipped. */
export const HAS_PROMETHEUS = Bun.which('prometheus') !== null && Bun.which('promtool') !== null

/** What a configuration of Prometheus has, as far as tests change it. */
export type PrometheusConfig = {
  readonly global: { readonly scrape_interval: string; readonly evaluation_interval: string }
  readonly rule_files: readonly string[]
  readonly scrape_configs: readonly {
    readonly job_name: string
    readonly metrics_path: string
    readonly authorization: { readonly credentials_file: string }
    readonly static_configs: readonly { readonly targets: readonly string[] }[]
  }[]
}

export type Rule = {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
export type Rules = {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}

export const readConfig = async (name: string): Promise<PrometheusConfig> =>
  Bun.YAML.parse(await shared(name)) as PrometheusConfig
export const readRules = async (): Promise<Rules> =>
  Bun.YAML.parse(await shared('tracker.rules.yml')) as Rules

/** One series of an instant query. */
export type Series = {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}
export type Alert = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

export type Prometheus = Awaited<ReturnType<typeof startPrometheus>>

/**
 * Scrapes the APIs at these ports every `seconds`, with `token`, and evaluates `rules` as often. It ends with the
 * scope; should the test be killed, with its process.
 */
export async function startPrometheus({
  ports,
  token,
  rules,
  seconds,
}: {
  ports: readonly number[]
  token: string
  rules: Rules
  seconds: number
}) {
  const config = await readConfig('prometheus.yml')
  const interval = `${seconds * 1000}ms`
  const [scrape] = config.scrape_configs
  const targets = ports.map((port) => `127.0.0.1:${port}`)
  const files: Files = {
    // JSON is YAML.
    'prometheus.yml': JSON.stringify({
      ...config,
      global: { scrape_interval: interval, evaluation_interval: interval },
      scrape_configs: [{ ...scrape, static_configs: [{ targets }] }],
    }),
    'tracker.rules.yml': JSON.stringify(rules),
    'tracker.token': `${token}\n`,
  }
  await using starting = new AsyncDisposableStack()
  const room = starting.use(temporaryDirectory(files))
  const child = Bun.spawn(
    [
      ...['setpriv', '--pdeathsig', 'KILL', 'prometheus'],
      `--config.file=${room.at('prometheus.yml')}`,
      `--storage.tsdb.path=${room.at('data')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { cwd: room.path, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  )
  let log = ''
  const collect = async () => {
    for await (const bytes of child.stderr) log += Buffer.from(bytes).toString()
  }
  const collected = collect()
  starting.defer(async () => {
    child.kill('SIGKILL')
    await Promise.all([child.exited, collected])
  })
  const url = await until(
    () => `Prometheus: ${log}`,
    () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended: ${log}`)
      const address = /msg="Listening on" address=(\S+)/.exec(log)?.[1]
      return address !== undefined && log.includes('Server is ready') && `http://${address}`
    },
  )
  const started = starting.move()

  /** The data of an answer of its API. Rejects with its error. */
  async function ask(path: string, query: Readonly<Record<string, string>> = {}) {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query)}`)
    const { status, data, error } = (await answer.json()) as {
      status: string
      data: unknown
      error?: string
    }
    if (status !== 'success') throw new Error(`${path} ${JSON.stringify(query)}: ${error}`)
    return data
  }
  return {
    /** An expression whose value is a vector, at this moment. */
    async query(expr: string): Promise<readonly Series[]> {
      const { result } = (await ask('query', { query: expr })) as {
        result: readonly { metric: Series['metric']; value: readonly [number, string] }[]
      }
      return result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }))
    },
    async alerts(): Promise<readonly Alert[]> {
      return ((await ask('alerts')) as { alerts: readonly Alert[] }).alerts
    },
    /** Resolves when that alert fires for the API at that port. */
    async fires(name: string, port: number): Promise<Alert> {
      let last: readonly Alert[] = []
      return await until(
        () => `${name} of ${port} to fire, not ${JSON.stringify(last)}`,
        async () => {
          last = await this.alerts()
          return last.find(
            ({ labels, state }) =>
              state === 'firing' &&
              labels.alertname === name &&
              labels.instance === `127.0.0.1:${port}`,
          )
        },
      )
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
