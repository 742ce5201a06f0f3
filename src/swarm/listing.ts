/** Lists torrents for people, ascending by info hash: some of millions, without sorting them all. */

export type TorrentSummary = {
  /** 40 lower-case hex digits. */
  readonly infoHash: string
  readonly seeders: number
  readonly leechers: number
  /** Times the torrent was completed. */
  readonly downloaded: number
}
