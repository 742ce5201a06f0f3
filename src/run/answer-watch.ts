/**
 * Says when UDP answers are lost: the kernel does not take them, or datagrams are dropped unread in a flood. Looks at
 * counters that the serving threads keep anyway.
 */
import type { Log } from '../log/log.ts'
import { Trouble } from '../log/trouble.ts'
import type { ListenerCounters } from '../memory/counters.ts'

const WINDOW_MILLISECONDS = 10_000
/** Losses that do not matter: clients whose address cannot be reached lose single answers at any tracker. */
const LEAST_LOST = 10
const LEAST_SHARE = 0.01

const lostAnswers = (count: number | string) =>
  `answers are lost: ${count} in ten seconds. The machine is overloaded, or a firewall stops them`

export class AnswerWatch {
  readonly #listeners: () => readonly ListenerCounters[]
  readonly #trouble: Trouble
  #began = Number.NEGATIVE_INFINITY
  #received = 0
  #lost = 0
  #degraded = ''

  /** `listeners`: those of UDP. */
  constructor(listeners: () => readonly ListenerCounters[], log: Log) {
    this.#listeners = listeners
    this.#trouble = new Trouble(log, 'UDP TRACKER', 'datagrams got no answer')
  }

  /** Call it about once a second. `now`: milliseconds of any origin. */
  look(now: number): void {
    if (now - this.#began < WINDOW_MILLISECONDS) return
    this.#began = now
    const received = this.#sum('received')
    const lost = this.#sum('unsent') + this.#sum('aborted')
    const [newReceived, newLost] = [received - this.#received, lost - this.#lost]
    this.#received = received
    this.#lost = lost
    if (newLost >= LEAST_LOST && newLost >= newReceived * LEAST_SHARE) {
      this.#degraded = lostAnswers(newLost)
      this.#trouble.add(now, newLost, () => [lostAnswers('{count}'), { count: newLost }])
    }
    this.#trouble.pass(now)
  }

  /** Why clients are not served as they should be; undefined: they are. */
  get degraded(): string | undefined {
    return this.#trouble.isOn ? this.#degraded : undefined
  }

  #sum(counter: 'received' | 'unsent' | 'aborted'): number {
    let sum = 0
    for (const listener of this.#listeners()) {
      const { ipv4, ipv6 } = listener.read(counter)
      sum += ipv4 + ipv6
    }
    return sum
  }
}
