/**
 * Swarms that fail in the middle of a change: the n-th write, or the n-th call, throws, as if the
 * thread had died or met a bug there. Earlier writes stay.
 */
import { Carver } from '../../../src/swarm/layout.ts'
import { Swarm, type SwarmMemory } from '../../../src/swarm/swarm.ts'

export class Torn extends Error {}

export class Trap {
  #left = Number.POSITIVE_INFINITY
  #dead = false
  sprung = false

  /** The step after `steps` others throws; all later ones too when the thread is to be `dead`. */
  arm(steps: number, dead: boolean): void {
    this.#left = steps
    this.#dead = dead
    this.sprung = false
  }
  disarm(): void {
    this.#left = Number.POSITIVE_INFINITY
  }
  step(): void {
    if (this.#left-- > 0) return
    this.sprung = true
    if (!this.#dead) this.disarm()
    throw new Torn('in the middle of a change')
  }
}

/** A swarm whose every array calls `trap` before it is written. */
export function tornSwarm(memory: SwarmMemory, thread: number, trap: Trap): Swarm {
  const { words, halves } = Carver.prototype
  const guard = <T extends Int32Array | Uint16Array>(array: T): T =>
    new Proxy(array, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const writes = name === 'copyWithin' || name === 'fill' || name === 'set'
        return (...given: unknown[]) => {
          if (writes) trap.step()
          const returned: unknown = value.apply(target, given)
          // A view of a guarded array is guarded, too.
          return returned instanceof Int32Array && returned.buffer === target.buffer
            ? guard(returned)
            : returned
        }
      },
      set(target, name, value) {
        trap.step()
        return Reflect.set(target, name, value, target)
      },
    })
  try {
    Carver.prototype.words = function (length) {
      return guard(words.call(this, length))
    }
    Carver.prototype.halves = function (length) {
      return guard(halves.call(this, length))
    }
    return new Swarm(memory, thread, 1)
  } finally {
    Object.assign(Carver.prototype, { words, halves })
  }
}

/** A swarm whose torrents, peers and slots call `trap` before every method. */
export function brittleSwarm(memory: SwarmMemory, thread: number, trap: Trap): Swarm {
  const swarm = new Swarm(memory, thread, 1)
  for (const { torrents, families } of swarm.shards)
    for (const room of [
      torrents,
      torrents.ledger,
      torrents.stored,
      ...families,
      ...families.map(({ slots }) => slots),
    ])
      for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(room))) {
        const method: unknown = Reflect.get(room, name)
        if (name === 'constructor' || typeof method !== 'function') continue
        Object.defineProperty(room, name, {
          value: (...given: unknown[]): unknown => {
            trap.step()
            return method.apply(room, given)
          },
        })
      }
  return swarm
}
