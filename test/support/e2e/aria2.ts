/**
 * Debian's aria2 as a client that finds other clients only through the tracker: the torrents are private, which rules
 * out DHT and peer exchange, and these are switched off as well.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BencodeWriter } from '../../../src/wire/bencode.ts'

export const ARIA2C: string | null = Bun.which('aria2c')

const PIECE_BYTES = 16 * 1024
/** A client without a connection gives up, even if the test does not end it. */
const GIVE_UP_SECONDS = 60
/** It takes a free one. Outside the range of the kernel's own choice, from which the tests take many. */
const PORTS = '20000-29999'

const sha1 = (bytes: Uint8Array): Uint8Array => new Bun.CryptoHasher('sha1').update(bytes).digest()

/** Writes a torrent file that describes one private file; its info hash. */
export function writeTorrent(
  path: string,
  announceUrl: string,
  name: string,
  content: Uint8Array,
  pieceBytes: number = PIECE_BYTES,
): Uint8Array {
  const pieces = Array.from({ length: Math.ceil(content.length / pieceBytes) }, (_, i) =>
    sha1(content.subarray(i * pieceBytes, (i + 1) * pieceBytes)),
  )
  const writer = new BencodeWriter()
  writer.begin().raw('d6:length').integer(content.length).raw('4:name').text(name)
  writer.raw('12:piece length').integer(pieceBytes).raw('6:pieces').string(Buffer.concat(pieces))
  const info = writer.raw('7:privatei1ee').bytes().slice()
  writer.begin().raw('d8:announce').text(announceUrl).raw('4:info')
  writeFileSync(path, Buffer.concat([writer.bytes(), info, Buffer.from('e')]))
  return sha1(info)
}

export type Client = Awaited<ReturnType<typeof startAria2>>

/** Downloads `torrent` into `directory`, or seeds the content that is there. */
export async function startAria2(
  directory: string,
  torrent: string,
  udpTracker: boolean,
  more: Readonly<Record<string, string | number>> = {},
) {
  mkdirSync(directory, { recursive: true })
  const options = {
    dir: directory,
    // aria2 asks UDP trackers through the socket of its DHT. That finds no one: it has no entry point, an empty
    // table, and a private torrent.
    'enable-dht': udpTracker,
    'dht-file-path': join(directory, '.dht'),
    'dht-listen-port': PORTS,
    'enable-dht6': false,
    'bt-enable-lpd': false,
    'enable-peer-exchange': false,
    'disable-ipv6': true,
    interface: '127.0.0.1',
    'listen-port': PORTS,
    'check-integrity': true,
    'file-allocation': 'none',
    'seed-ratio': '0.0',
    'bt-stop-timeout': GIVE_UP_SECONDS,
    'stop-with-process': process.pid,
    // With the requests to its tracker.
    'console-log-level': 'info',
    'summary-interval': 0,
    ...more,
  }
  const child = Bun.spawn(
    [
      ARIA2C!,
      '--no-conf',
      ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
      torrent,
    ],
    { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', env: { HOME: directory, PATH: '/usr/bin' } },
  )
  let said = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) said += Buffer.from(bytes)
  }
  const output = Promise.all([read(child.stdout), read(child.stderr)])
  return {
    /** Its output so far. */
    text: () => said,
    /** What it said in its last announce over HTTP; zeroes before the first. */
    reported(): { uploaded: number; downloaded: number } {
      const query = Array.from(said.matchAll(/^GET \/announce\S*\?(\S+)/gm), ([, text]) => text).at(
        -1,
      )
      const parameters = new URLSearchParams(query)
      return {
        uploaded: Number(parameters.get('uploaded')),
        downloaded: Number(parameters.get('downloaded')),
      }
    },
    /** Ends it as Ctrl-C would: it announces that it stops. Resolves with its output. */
    async stop(): Promise<string> {
      child.kill('SIGINT')
      await output
      return said
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL')
      await child.exited
    },
  }
}
