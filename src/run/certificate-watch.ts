/**
 * Notices when certificates are renewed in their files, by looking at these from time to time. What changes is read
 * when it has been still for one look: the two files of a certificate are not written in one moment.
 */
import { statSync } from 'node:fs'
import type { ReloadResult } from '../api/parts.ts'
import { judgeTls } from '../cli/tls-files.ts'
import { listenersOf } from '../config/listeners.ts'
import type { Config, TlsConfig } from '../config/model.ts'
import type { Log } from '../log/log.ts'

/** Between two looks. */
export const LOOK_MILLISECONDS = 15_000

const TARGET = 'CONFIGURATION'

type Renewing = {
  readonly config: Config
  /** Has all listeners serve what the files hold now. */
  renew(): Promise<ReloadResult>
}

export class CertificateWatch {
  readonly #log: Log
  /** What the files were when they were read, and at the last look. */
  #read: string
  #seen: string

  /** Those of `config` are read next. */
  constructor(config: Config, log: Log) {
    this.#log = log
    this.#read = this.#seen = stampOf(filesOf(config))
  }

  /** A pair that does not serve is reported once, and the old one stays. */
  async look(tracker: Renewing): Promise<void> {
    const files = filesOf(tracker.config)
    const before = this.#seen
    this.#seen = stampOf(files)
    if (this.#seen === this.#read || this.#seen !== before) return
    this.#read = this.#seen
    const faults = files.flatMap((tls) => judgeTls(tls, process.cwd()).faults)
    const mistakes =
      faults.length > 0
        ? faults.map(({ wrong, remedy }) => `${wrong}: ${remedy}`)
        : (await this.#renew(tracker)).mistakes
    if (mistakes.length > 0)
      this.#log.warn(TARGET, 'Certificates stay as they are: {reason}', {
        reason: mistakes.join('; '),
      })
  }

  async #renew(tracker: Renewing): Promise<ReloadResult> {
    const result = await tracker.renew()
    for (const line of result.applied) this.#log.info(TARGET, 'Changed: {change}', { change: line })
    for (const line of result.restart)
      this.#log.warn(TARGET, 'Needs a restart: {change}', { change: line })
    return result
  }
}

const filesOf = (config: Config): readonly TlsConfig[] =>
  listenersOf(config).flatMap(({ tls_config, host }) => (host ? [] : (tls_config ?? [])))

/** Changes with the files. */
const stampOf = (files: readonly TlsConfig[]): string =>
  JSON.stringify(
    files
      .flatMap(({ ssl_cert_path, ssl_key_path }) => [ssl_cert_path, ssl_key_path])
      .map((path) => {
        try {
          const { mtimeMs, ino, size } = statSync(path)
          return [path, mtimeMs, ino, size]
        } catch {
          return [path]
        }
      }),
  )
