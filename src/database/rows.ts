/** What both contracts hand over. */
export type KeyRow = {
  /** 32 letters and digits. */
  readonly key: string
  /** Last Unix second at which the key is valid; null = permanent. */
  readonly validUntil: bigint | null
}

/** A part of a long table, and where the next part begins; undefined = this is the last. */
export type Part<T> = { readonly rows: T; readonly next: bigint | undefined }
