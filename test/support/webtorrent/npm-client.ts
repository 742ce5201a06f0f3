/**
 * The client that every WebTorrent application has inside, that of the npm package `bittorrent-tracker`, with the WebRTC
 * of Chromium, `@roamhq/wrtc`. Each keeps every frame that the tracker sent to it.
 */

import type { EventEmitter } from 'node:events'
import { plugin } from 'bun'
import { npmFile } from '../npm-packages.ts'
import { PATIENCE_MILLISECONDS, until } from '../until.ts'

const client = npmFile('bittorrent-tracker/client.js')
const webRtc = npmFile('@roamhq/wrtc/lib/index.js')
export const HAS_NPM_CLIENT = client !== null && webRtc !== null
/** Where it says over HTTP and UDP that it can be reached; nothing listens there. */
export const NPM_PORT = 6_881

/** The client imports a WebRTC that has to be compiled at its installation; this one has the same names. */
plugin({
  name: 'WebRTC of the npm client',
  setup: (build) => {
    build.module('webrtc-polyfill', async () => {
      const { default: exports }: { default: Record<string, unknown> } = await import(webRtc!)
      return { loader: 'object', exports }
    })
  },
})

/** What it says of an answer to an announce or, with `downloaded`, to a scrape. */
export type Told = {
  readonly announce: string
  /** Hexadecimal. */
  readonly infoHash: string
  readonly complete: number
  readonly incomplete: number
  readonly downloaded?: number
}
type AnnounceOptions = { left?: number; numwant?: number; [name: string]: unknown }

/** One data channel. */
export type NpmPeer = EventEmitter<{ data: [Uint8Array]; error: [Error] }> & {
  /** Its peer id, hexadecimal. */
  readonly id: string
  readonly connected: boolean
  send(text: string): void
  destroy(): void
}

/** `peer` tells of a data channel or, over HTTP and UDP, of an `ip:port`. */
type Events = {
  update: [Told]
  scrape: [Told]
  peer: [NpmPeer | string]
  warning: [Error]
  error: [Error]
}
type Client = EventEmitter<Events> & {
  readonly infoHash: string
  start(options?: AnnounceOptions): void
  update(options?: AnnounceOptions): void
  complete(options?: AnnounceOptions): void
  stop(options?: AnnounceOptions): void
  scrape(options?: { infoHash: readonly string[] }): void
  destroy(then?: (error?: Error | null) => void): void
  /** One for each announce URL. Those of UDP and HTTP have no socket. */
  readonly _trackers: readonly { readonly socket?: EventEmitter<{ data: [Uint8Array] }> | null }[]
}
type Options = {
  readonly infoHash: Uint8Array
  readonly peerId: Uint8Array
  readonly announce: string | readonly string[]
  readonly port: number
  readonly rtcConfig: { readonly iceServers: readonly never[] }
  readonly getAnnounceOpts?: () => AnnounceOptions
}

export type NpmClient = Awaited<ReturnType<typeof npmClient>>

/**
 * A client that announces nothing yet. `name` begins its peer id. The clients of a process share a socket for each
 * announce URL: one that wants a socket of its own needs a URL of its own.
 */
export async function npmClient({
  name,
  ...options
}: Pick<Options, 'infoHash' | 'announce' | 'getAnnounceOpts'> & { readonly name: string }) {
  const { default: NpmClient }: { default: new (options: Options) => Client } = await import(
    client!
  )
  const self = new NpmClient({
    port: NPM_PORT,
    // It would wait seconds for servers of STUN, which the loopback does not need.
    rtcConfig: { iceServers: [] },
    peerId: Buffer.from(name.padEnd(20, '-')),
    ...options,
  })
  const frames: string[] = []
  const warnings: string[] = []
  const peers: NpmPeer[] = []
  const addresses: string[] = []
  const heard: string[] = []
  for (const { socket } of self._trackers)
    socket?.on('data', (bytes) => frames.push(Buffer.from(bytes).toString()))
  self.on('warning', ({ message }) => warnings.push(message))
  self.on('error', ({ message }) => warnings.push(message))
  self.on('peer', (peer) => {
    if (typeof peer === 'string') return void addresses.push(peer)
    peers.push(peer)
    peer.on('error', () => {})
    peer.on('data', (bytes) => heard.push(Buffer.from(bytes).toString()))
  })
  const destroy = async () => {
    for (const peer of peers) peer.destroy()
    if (self._trackers.length > 0) await new Promise((resolve) => self.destroy(resolve))
  }
  return {
    client: self,
    /** What came over WebSocket. */
    frames,
    /** What it complained of. */
    warnings,
    /** Those that the tracker introduced to it. */
    peers,
    /** What trackers of other transports told it of, `ip:port`. */
    addresses,
    /** What they sent. */
    heard,
    /** What it is told next; rejects when that is nothing for a minute. */
    next: (event: 'update' | 'scrape'): Promise<Told> =>
      new Promise((resolve, reject) => {
        const late = () => reject(new Error(`no ${event} of ${name}: ${warnings.join(', ')}`))
        const timer = setTimeout(late, PATIENCE_MILLISECONDS)
        self.once(event, (told) => {
          clearTimeout(timer)
          resolve(told)
        })
      }),
    /** Its data channel to the client of that name, once it is open. */
    connected: (other: string): Promise<NpmPeer> =>
      until(`the data channel to ${other}`, () =>
        peers.find(({ id, connected }) => connected && nameOf(id) === other),
      ),
    destroy,
    [Symbol.asyncDispose]: destroy,
  }
}

const nameOf = (peerId: string): string =>
  Buffer.from(peerId, 'hex').toString('latin1').replace(/-+$/, '')
