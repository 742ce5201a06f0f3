/** An operator in a hurry: many signals to reload, and each time another configuration, which may be broken. */
import { writeFileSync } from 'node:fs'
import type { Sent } from './datagrams.ts'
import { Pacer } from './pacer.ts'

type Reloading = {
  readonly pid: number
  /** Its configuration. */
  readonly file: string
  /** What the file holds in turn, by name; the first is there when it stops. */
  readonly texts: readonly (readonly [name: string, text: string])[]
}

export class ReloadAttack {
  readonly sent: Sent = new Map()
  readonly #setting: Reloading
  readonly #pacer: Pacer
  #count = 0

  constructor(setting: Reloading, rate: number) {
    this.#setting = setting
    this.#pacer = new Pacer(rate, () => this.#ask(this.#count++))
    this.#pacer.start()
  }

  stop(): void {
    this.#pacer.stop()
    this.#ask(0)
  }

  #ask(turn: number): void {
    const { pid, file, texts } = this.#setting
    const [name, text] = texts[turn % texts.length]!
    writeFileSync(file, text)
    process.kill(pid, 'SIGHUP')
    this.sent.set(name, (this.sent.get(name) ?? 0) + 1)
  }
}
