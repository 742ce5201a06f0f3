/**
 * Hands a test the serving threads of a tracker that runs in this process, and what each was started with, so
 * that it can end one from outside. The program itself has no way to harm its threads.
 */
import type { ThreadSetup, ToThread } from '../../../src/run/thread.ts'

type Captured = { readonly worker: Worker; setup: ThreadSetup | undefined; ended: boolean }

/** Threads that start from here on, in order; the scope's end gives the original `Worker` back. */
export function captureWorkers() {
  const Original = globalThis.Worker
  const all: Captured[] = []
  globalThis.Worker = class extends Original {
    readonly #captured: Captured = { worker: this, setup: undefined, ended: false }
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args)
      this.addEventListener('close', () => {
        this.#captured.ended = true
      })
      all.push(this.#captured)
    }
    override postMessage(
      message: unknown,
      moved?: Bun.Transferable[] | Bun.StructuredSerializeOptions,
    ): void {
      const sent = message as ToThread | null
      if (sent?.kind === 'start') this.#captured.setup = sent.setup
      super.postMessage(message, moved as Bun.Transferable[])
    }
  }
  return {
    all,
    /** The one that serves, or served last, as thread number `thread`. */
    of(thread: number): { worker: Worker; setup: ThreadSetup } {
      const { worker, setup } = all.findLast((one) => one.setup?.thread === thread)!
      return { worker, setup: setup! }
    },
    [Symbol.dispose]() {
      globalThis.Worker = Original
    },
  }
}
