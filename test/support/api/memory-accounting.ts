/** Accounting in memory: accounts and the numbers of the writes that changed them, for feeds, which can be made to fail. */
import type { Flag } from '../../../src/accounting/batch.ts'
import type { AccountRow, Changes } from '../../../src/database/accounting-contract.ts'
import { DatabaseError } from '../../../src/database/contract.ts'
import type { AccountingEvent, AccountingStore } from '../../../src/storage/accounting.ts'

export const account = (id: number, changes: Partial<AccountRow> = {}): AccountRow => ({
  id,
  userId: null,
  uploaded: 0n,
  downloaded: 0n,
  creditedUploaded: 0n,
  creditedDownloaded: 0n,
  seedSeconds: 0n,
  leechSeconds: 0n,
  snatches: 0n,
  enabled: true,
  canDownload: true,
  maxDownloads: null,
  maxPeers: null,
  upPercent: 100,
  downPercent: 100,
  freeUntil: null,
  hidden: false,
  created: 1_700_000_000,
  lastSeen: null,
  batch: 0,
  ...changes,
})

export class MemoryAccounting {
  readonly accounts = new Map<number, AccountRow>()
  readonly marks = new Map<string, number>()
  readonly listeners = new Set<(event: AccountingEvent) => void>()
  batch = 0
  /** Times that changes were asked for, and what that rejects with. */
  asked = 0
  isAway = false
  /** What an answer of changes waits for. */
  gate: Promise<void> = Promise.resolve()

  /** One write: each account is uploaded so much more. */
  write(...ids: readonly number[]): void {
    this.batch++
    for (const id of ids) {
      const { uploaded } = this.accounts.get(id) ?? account(id)
      this.accounts.set(id, account(id, { uploaded: uploaded + 1n, batch: this.batch }))
    }
    this.say({ kind: 'batch', batch: this.batch })
  }

  /** The same by another tracker, of which this one hears nothing. */
  writeElsewhere(id: number): void {
    const listeners = [...this.listeners]
    this.listeners.clear()
    this.write(id)
    for (const listener of listeners) this.listeners.add(listener)
  }

  flag(flag: Flag): void {
    this.say({ kind: 'flag', batch: this.batch, flag })
  }

  say(event: AccountingEvent): void {
    for (const listener of this.listeners) listener(event)
  }

  async changes(after: number, limit: number): Promise<Changes> {
    this.asked++
    await this.gate
    if (this.isAway) throw new DatabaseError('unreachable', 'no connection')
    const changed = [...this.accounts.values()]
      .filter(({ batch }) => batch > after)
      .sort((a, b) => a.batch - b.batch)
    const last = changed[limit - 1]?.batch ?? this.batch
    const accounts = changed.filter(({ batch }) => batch <= last)
    const isLast = accounts.length === changed.length
    const next = isLast ? this.batch : last
    return { accounts, torrents: [], records: [], deleted: [], next, isLast }
  }

  async readMark(name: string): Promise<number> {
    if (this.isAway) throw new DatabaseError('unreachable', 'no connection')
    return this.marks.get(name) ?? 0
  }
  async putMark(name: string, value: number): Promise<void> {
    if (this.isAway) throw new DatabaseError('unreachable', 'no connection')
    this.marks.set(name, value)
  }
  follow(listener: (event: AccountingEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
  status() {
    return { level: 'users', batch: this.batch }
  }

  /** As the API is given it: feeds use no more of a store than this has. */
  get store(): AccountingStore {
    return this as unknown as AccountingStore
  }
}
