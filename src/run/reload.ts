/**
 * Has a running tracker follow its configuration, which is read again, or whose certificates changed in their files.
 * All of it is checked and everything is made ready before anything changes: after a mistake all is as it was.
 */
import type { ReloadResult } from '../api/parts.ts'
import { type Changes, changesOf } from '../config/changes.ts'
import type { Failed, Loaded } from '../config/load.ts'
import { printMistake } from '../config/mistake.ts'
import type { Config } from '../config/model.ts'
import type { Log } from '../log/log.ts'
import type { Part, Prepared } from './part.ts'

const TARGET = 'CONFIGURATION'

/** A configuration, and where its options come from. */
export type Followed = Pick<Loaded, 'config' | 'origin'>

type ReloadSetting = {
  readonly loaded: Followed
  /** Reads the configuration and checks it, certificates included. */
  readonly load: () => Loaded | Failed
  /** Which options cannot follow besides those that never can, by path. */
  readonly isFixed: (path: string) => boolean
  /** In the order in which they change. */
  readonly parts: readonly Part[]
  readonly log: Log
}

const refused = (...mistakes: string[]): ReloadResult => ({ applied: [], restart: [], mistakes })

export class Reloader {
  readonly #setting: ReloadSetting
  #followed: Followed
  /** One at a time: the last that was asked for. */
  #last: Promise<unknown> = Promise.resolve()
  /** Has not begun, and so will see whatever is in the files now. */
  #waiting: Promise<ReloadResult> | undefined
  /** Resolves when all that the last one closed is closed. */
  #finished: Promise<unknown> = Promise.resolve()
  #isOver = false

  constructor(setting: ReloadSetting) {
    this.#setting = setting
    this.#followed = setting.loaded
  }

  /** That which the tracker follows. */
  get config(): Config {
    return this.#followed.config
  }

  get followed(): Followed {
    return this.#followed
  }

  /** Reads the configuration again. `why` is for the log. Never rejects. */
  reload(why: string): Promise<ReloadResult> {
    this.#waiting ??= this.#inTurn(() => {
      this.#waiting = undefined
      this.#setting.log.info(TARGET, 'Reloading ({why})', { why })
      return this.#reload()
    })
    return this.#waiting
  }

  /** Reads only the certificates again. Never rejects. */
  renew(): Promise<ReloadResult> {
    return this.#inTurn(() => this.#follow({ config: this.config, live: [], restart: [] }))
  }

  /** From here on nothing changes any more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#isOver = true
    await this.#last
  }

  #inTurn(work: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const turn = this.#last.then(async () => {
      if (!this.#isOver) await this.#finished
      if (this.#isOver) return refused('the tracker is stopping')
      return await work().catch((error) => refused(`internal error: ${error}`))
    })
    this.#last = turn
    return turn
  }

  async #reload(): Promise<ReloadResult> {
    const { load, isFixed, log } = this.#setting
    const loaded = load()
    for (const warning of loaded.warnings) log.warn(TARGET, warning)
    const result =
      loaded.kind === 'failed'
        ? refused(...loaded.mistakes.map(printMistake))
        : await this.#follow(changesOf(this.config, loaded.config, isFixed), loaded.origin)
    this.#tell(result)
    return result
  }

  /** All parts follow, or none. */
  async #follow(
    { config, live, restart }: Changes,
    origin = this.#followed.origin,
  ): Promise<ReloadResult> {
    const ready: Prepared[] = []
    try {
      for (const part of this.#setting.parts) ready.push(await part.prepare(config))
      if (this.#isOver) throw new Error('the tracker is stopping')
    } catch (error) {
      for (const one of ready.reverse()) await this.#surely(() => one.abort?.())
      return refused(error instanceof Error ? error.message : String(error))
    }
    for (const one of ready) await this.#surely(() => one.commit())
    this.#followed = { config, origin }
    this.#finished = Promise.all(ready.map((one) => this.#surely(() => one.finish?.())))
    return {
      applied: [...live, ...ready.flatMap(({ news = [] }) => news)],
      restart: [...restart, ...ready.flatMap((one) => one.restart ?? [])],
      mistakes: [],
    }
  }

  /** What cannot be undone any more goes on, whatever happens to a part of it. */
  async #surely(work: () => Promise<void> | void | undefined): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#setting.log.error(TARGET, 'internal error: reload: {reason}', { reason: `${error}` })
    }
  }

  #tell({ applied, restart, mistakes }: ReloadResult): void {
    const { log } = this.#setting
    // Without the lines of the file that may follow.
    for (const mistake of mistakes)
      log.error(TARGET, '{mistake}', { mistake: mistake.split('\n', 1)[0]! })
    for (const line of applied) log.info(TARGET, 'Changed: {change}', { change: line })
    if (restart.length > 0)
      log.warn(TARGET, 'Needs a restart: {changes}', { changes: restart.join('; ') })
    if (mistakes.length > 0) log.error(TARGET, 'Not reloaded: nothing was changed')
    else if (applied.length + restart.length === 0)
      log.info(TARGET, 'Reloaded: nothing is different')
  }
}
