/** What a client asks a tracker and what it is told, whatever the transport. */
import type { AnnounceEvent, Family } from '../bittorrent.ts'

export interface AnnounceQuestion {
  readonly infoHash: Uint8Array
  readonly peerId: Uint8Array
  /** Where the peer listens, 1–65535. */
  readonly port: number
  /** Bytes, up to 2^53 − 1. */
  readonly uploaded: number
  readonly downloaded: number
  readonly left: number
  readonly event: AnnounceEvent
  /** 32 bits; proves that a client with another address is the same. */
  readonly key: number
  /** Peers wanted; `WANT_DEFAULT` = the tracker decides. */
  readonly want: number
  /** The address to be told to others, 4 or 16 bytes. */
  readonly ip?: Uint8Array | undefined
  /** HTTP only. */
  readonly compact: boolean
}

export interface Peer {
  /** Canonical text, without brackets; over HTTP it may be a host name. */
  readonly ip: string
  readonly port: number
  /** Only HTTP answers that are not compact have it. */
  readonly id?: Uint8Array | undefined
}

export interface AnnounceAnswer {
  /** Seconds until the next announce. */
  readonly interval: number
  readonly minInterval?: number | undefined
  readonly seeders: number
  readonly leechers: number
  readonly downloaded?: number | undefined
  readonly warning?: string | undefined
  readonly peers: readonly Peer[]
  /** Of the connection. */
  readonly family: Family
  /** Of the UDP answer, signed. */
  readonly transaction?: number | undefined
}
