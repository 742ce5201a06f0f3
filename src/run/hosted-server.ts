/** An HTTP server of the control thread, which follows its address and certificate in the configuration. */
import type { Config, TlsConfig } from '../config/model.ts'
import type { Log } from '../log/log.ts'
import { Handover } from '../servers/handover.ts'
import { type Certificate, type HttpServer, readCertificate } from '../servers/listen.ts'
import type { SocketAddress } from '../wire/address.ts'
import { newCertificate, type Part, type Prepared } from './part.ts'
import { certificateEnds } from './services.ts'

/** How to open one server. */
export type Hosting = {
  readonly bind: SocketAddress
  readonly certificate: Certificate | null
  /** Another socket of this process has the same port, and will be closed. */
  readonly reusePort: boolean
}

type Wanted = {
  readonly bind: SocketAddress
  readonly tls: TlsConfig | null
  /** What else it cannot follow. */
  readonly also?: readonly unknown[]
}

type Setting = {
  /** Target of the log. */
  readonly target: string
  /** Time for connections of a server that is closed. */
  readonly graceMilliseconds: number
  readonly log: Log
  /** What it is opened anew for when it changes; undefined: there is no server. */
  readonly wanted: (config: Config) => Wanted | undefined
  /** Rejects with one line that names the cause. */
  readonly open: (config: Config, hosting: Hosting) => Promise<HttpServer>
}

export class HostedServer implements Part {
  readonly #setting: Setting
  #wanted: Wanted | undefined
  #certificate: Certificate | null = null
  /** When its certificate ends, in seconds since the epoch; undefined: it has none. */
  certificateEnds: number | undefined
  /** undefined: the configuration has none. */
  server: HttpServer | undefined

  constructor(setting: Setting) {
    this.#setting = setting
  }

  async prepare(config: Config): Promise<Prepared> {
    const { log, target, graceMilliseconds } = this.#setting
    const wanted = this.#setting.wanted(config)
    const certificate = wanted === undefined ? null : await readCertificate(wanted.tls)
    const isSame = (key: keyof Wanted) => Bun.deepEquals(wanted?.[key], this.#wanted?.[key])
    const hasNewCertificate = !Bun.deepEquals(certificate, this.#certificate)
    const old = this.server
    if (isSame('bind') && isSame('also') && !hasNewCertificate) return { commit() {} }
    if (isSame('bind') && old !== undefined && !Handover.isPossible)
      return { commit() {}, restart: hasNewCertificate ? [newCertificate(old.address)] : [] }
    const handover = await Handover.from(old === undefined ? [] : [old.address])
    // Port 0 became another at the first time.
    const bind = old !== undefined && isSame('bind') ? old.address : wanted?.bind
    const reusePort = bind?.port === old?.address.port
    const fresh = bind && (await this.#setting.open(config, { bind, certificate, reusePort }))
    return {
      news: hasNewCertificate && fresh?.url === old?.url ? [newCertificate(fresh!.address)] : [],
      commit: async () => {
        await handover.divert()
        this.#wanted = wanted
        this.#certificate = certificate
        this.certificateEnds = certificateEnds(certificate)
        this.server = fresh
        if (fresh?.url === old?.url) return
        if (old !== undefined) log.info(target, 'Stopped on: {url}', { url: old.url })
        if (fresh !== undefined) log.info(target, 'Started on: {url}', { url: fresh.url })
      },
      abort: async () => {
        await handover.undo()
        await fresh?.stop(0)
      },
      finish: async () => {
        await handover.settle()
        await old?.stop(graceMilliseconds)
      },
    }
  }
}
