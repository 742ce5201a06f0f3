/** What those who watch the tracker see: looked at once a second, whether anybody watches or not. */
import { type Alert, Alerts } from './alerts.ts'
import { History, type Moment, type Range } from './history.ts'
import type { MetricSources } from './metrics.ts'
import { type Overview, overviewOf, type ShownListener } from './overview.ts'

export class Live {
  readonly #read: () => MetricSources
  readonly #listeners: () => readonly ShownListener[]
  readonly #history = new History()
  readonly #alerts = new Alerts()
  readonly #watchers = new Set<(overview: string) => void>()
  #moment: Moment | undefined
  #told: readonly Alert[] = []

  constructor(read: () => MetricSources, listeners: () => readonly ShownListener[]) {
    this.#read = read
    this.#listeners = listeners
  }

  /** To be called once a second. */
  tick(): void {
    const sources = this.#read()
    this.#moment = this.#history.add(sources)
    this.#told = this.#alerts.of(sources)
    if (this.#watchers.size === 0) return
    const overview = JSON.stringify(this.#overview(sources))
    for (const watcher of this.#watchers) watcher(overview)
  }

  overview(): Overview {
    return this.#overview(this.#read())
  }

  history(range: Range) {
    return this.#history.read(range)
  }

  /** `watcher` gets the overview as JSON, at once and then every second, until the function that is returned is called. */
  watch(watcher: (overview: string) => void): () => void {
    watcher(JSON.stringify(this.overview()))
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #overview(sources: MetricSources): Overview {
    return overviewOf(sources, this.#listeners(), this.#moment, this.#told)
  }
}
