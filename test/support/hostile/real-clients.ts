/** Pairs of real clients that find each other only through the tracker exchange a file. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ARIA2C, startAria2, writeTorrent } from '../e2e/aria2.ts'
import { PYTHON, startLibtorrent } from '../e2e/libtorrent.ts'
import { until } from '../until.ts'
import type { Question } from './honest.ts'

const FILE = 'a file.bin'
const FILE_BYTES = 60_000

/** The installed ones, each with the scheme of its announce URL. */
export const EXCHANGES: readonly (readonly [string, 'udp' | 'http', typeof aria2])[] = [
  ...(ARIA2C
    ? ([
        ['aria2 over UDP', 'udp', aria2],
        ['aria2 over HTTP', 'http', aria2],
      ] as const)
    : []),
  ...(PYTHON ? ([['libtorrent over UDP', 'udp', libtorrent]] as const) : []),
]

/** With a directory below `room` and a torrent of its own. */
export const exchangeOf =
  (room: string, url: string, exchange: typeof aria2): Question =>
  async () => {
    const seeder = join(room, 'seeder')
    const leecher = join(room, 'leecher')
    mkdirSync(seeder, { recursive: true })
    const content = crypto.getRandomValues(new Uint8Array(FILE_BYTES))
    writeFileSync(join(seeder, FILE), content)
    const torrent = join(room, 'file.torrent')
    writeTorrent(torrent, url, FILE, content)
    const isThere = () => {
      try {
        return Buffer.compare(readFileSync(join(leecher, FILE)), content) === 0
      } catch {
        return false
      }
    }
    await exchange(seeder, leecher, torrent, url.startsWith('udp:'), isThere)
  }

async function aria2(
  seeder: string,
  leecher: string,
  torrent: string,
  isUdp: boolean,
  isThere: () => boolean,
): Promise<void> {
  await using one = await startAria2(seeder, torrent, isUdp)
  await using two = await startAria2(leecher, torrent, isUdp)
  await until(() => `aria2 to have the file: ${one.text()}${two.text()}`, isThere)
}

async function libtorrent(
  seeder: string,
  leecher: string,
  torrent: string,
  _isUdp: boolean,
  isThere: () => boolean,
): Promise<void> {
  await using one = startLibtorrent(seeder, torrent)
  await one.hears('reply')
  await using two = startLibtorrent(leecher, torrent)
  await two.hears('finished')
  await until('libtorrent to have the file', isThere)
}
