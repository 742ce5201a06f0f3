/** One torrent with its peers. What clients say of themselves is only ever text. */
import { useMemo, useState } from 'preact/hooks'
import { ask, textOf } from './api.ts'
import { count, now, plural, size } from './format.ts'
import { Copy, Empty, Figure, Mistake, Page, Panel, Status, Table, Time } from './parts.tsx'
import { linkTo } from './router.ts'
import { useAnswer, useShared } from './state.ts'
import { Search } from './torrents-page.tsx'
import { addToWhitelist, removeFromWhitelist, whitelistPart } from './whitelist.ts'

type Peer = {
  readonly peer_id: { readonly id: string; readonly client: string | null }
  readonly peer_addr: string
  /** Milliseconds since the epoch. */
  readonly updated_at_ms: number
  readonly uploaded: number
  readonly downloaded: number
  readonly left: number
  readonly event: string
  readonly protocol?: 'webtorrent'
}
type Torrent = {
  readonly info_hash: string
  readonly seeders: number
  readonly leechers: number
  readonly completed: number
  readonly peers: readonly Peer[]
  /** Where it is accounted. Bytes; `balance` is what was uploaded beyond what was downloaded. */
  readonly accounting?: null | {
    readonly uploaded: number
    readonly downloaded: number
    readonly balance: number
  }
}

/** Peers in the table at a time. */
const ROWS = 100

export function TorrentPage({ hash }: { readonly hash: string }) {
  const isHash = /^[0-9a-f]{40}$/i.test(hash)
  const { value, failure, isWaiting, again } = useAnswer(
    async (signal) =>
      isHash ? await ask<Torrent | string>(`api/v1/torrent/${hash}`, { signal }) : 'no info hash',
    [hash],
  )
  const torrent = typeof value === 'object' ? value : undefined
  return (
    <Page
      title="Torrent"
      aside={
        <a class="button" href={linkTo('torrents')}>
          All torrents
        </a>
      }
    >
      <Search />
      <p class="subject code">
        {hash} {isHash && <Copy text={hash} label="the info hash" />}
      </p>
      {isHash && <Listed hash={hash.toLowerCase()} />}
      {failure !== undefined && <Mistake>{failure}</Mistake>}
      {typeof value === 'string' && (
        <Empty>
          {isHash
            ? 'The tracker does not know this torrent: no client has announced it lately.'
            : 'This is no info hash.'}
        </Empty>
      )}
      {torrent !== undefined && (
        <>
          <dl class="stats" aria-label="Figures">
            <Figure label="Seeders" value={count(torrent.seeders)} />
            <Figure label="Leechers" value={count(torrent.leechers)} />
            <Figure label="Completed" value={count(torrent.completed)} />
            {torrent.accounting && (
              <>
                <Figure label="Uploaded" value={size(torrent.accounting.uploaded)} />
                <Figure label="Downloaded" value={size(torrent.accounting.downloaded)} />
                <Figure
                  label="Balance"
                  value={signed(torrent.accounting.balance)}
                  title="Uploaded less downloaded: far above 0, users claim upload that no one received."
                />
              </>
            )}
          </dl>
          <PeersPanel peers={torrent.peers} isWaiting={isWaiting} again={again} />
        </>
      )}
    </Page>
  )
}

/** Of a tracker that serves only whitelisted torrents: whether this is one, and the way to change that. */
function Listed({ hash }: { readonly hash: string }) {
  const { overview, mayChange, notify } = useShared()
  const isListed = overview !== undefined && overview.listed !== null
  const { value, again } = useAnswer(
    async (signal) => (isListed ? await whitelistPart(hash, 0, 1, signal) : undefined),
    [hash, isListed],
  )
  if (!isListed || value === undefined) return null
  const isServed = value.length > 0
  const change = async () => {
    try {
      await (isServed ? removeFromWhitelist : addToWhitelist)([hash])
    } catch (error) {
      notify({ text: `Not done: ${textOf(error)}`, isMistake: true })
    }
    again()
  }
  return (
    <p class="line">
      <Status kind={isServed ? 'ok' : 'warning'}>
        {isServed ? 'In the whitelist' : 'Not in the whitelist: its clients are refused'}
      </Status>
      {mayChange && (
        <button type="button" class="small" onClick={change}>
          {isServed ? 'Remove from the whitelist' : 'Add to the whitelist'}
        </button>
      )}
    </p>
  )
}

function PeersPanel({ peers, isWaiting, again }: PeersProps) {
  const [filter, setFilter] = useState('')
  const [shown, setShown] = useState(ROWS)
  const found = useMemo(() => {
    const wanted = filter.toLowerCase()
    return peers.filter(
      ({ peer_addr, peer_id }) =>
        peer_addr.includes(wanted) ||
        peer_id.id.includes(wanted) ||
        (peer_id.client ?? '').toLowerCase().includes(wanted) ||
        readable(peer_id.id).toLowerCase().includes(wanted),
    )
  }, [peers, filter])
  const since = now()
  return (
    <Panel
      title={`${count(peers.length)} ${plural(peers.length, 'peer')}`}
      aside={
        <div class="tools">
          <label>
            Filter{' '}
            <input
              type="search"
              placeholder="Address, client or peer id"
              value={filter}
              onInput={(event) => setFilter(event.currentTarget.value)}
            />
          </label>
          <button type="button" onClick={again} disabled={isWaiting}>
            Refresh
          </button>
        </div>
      }
    >
      {found.length === 0 ? (
        <Empty>No peer {peers.length > 0 && 'fits the filter'}.</Empty>
      ) : (
        <Table
          label="Peers"
          head={[
            'Address',
            'State',
            'Client',
            'Peer id',
            'Seen',
            '#Uploaded',
            '#Downloaded',
            '#Left',
          ]}
        >
          {/* One WebSocket may have several peers. */}
          {found.slice(0, shown).map((peer) => (
            <tr key={peer.peer_addr + peer.peer_id.id}>
              <td class="code">
                {peer.peer_addr}
                {peer.protocol !== undefined && <span class="note"> WebTorrent</span>}
              </td>
              <td>
                <Status kind={peer.left === 0 ? 'ok' : 'off'}>
                  {peer.left === 0 ? 'seeds' : 'leeches'}
                </Status>
              </td>
              <td class="cut" title={peer.peer_id.client ?? ''}>
                {peer.peer_id.client ?? <span class="note">unknown</span>}
              </td>
              <td class="code" title={peer.peer_id.id}>
                {readable(peer.peer_id.id)}
              </td>
              <td>
                <Time seconds={peer.updated_at_ms / 1000} at={since} />
              </td>
              <td class="figure">{bytes(peer.uploaded)}</td>
              <td class="figure">{bytes(peer.downloaded)}</td>
              <td class="figure">{bytes(peer.left)}</td>
            </tr>
          ))}
        </Table>
      )}
      {found.length > shown && (
        <p class="more">
          {count(shown)} of {count(found.length)} are shown.{' '}
          <button type="button" onClick={() => setShown(shown + ROWS)}>
            Show {count(Math.min(ROWS, found.length - shown))} more
          </button>
        </p>
      )}
    </Panel>
  )
}
type PeersProps = {
  readonly peers: readonly Peer[]
  readonly isWaiting: boolean
  readonly again: () => void
}

/** What clients send may be any number of 64 bits, which the API shows with a sign. */
const bytes = (value: number): string => size(value < 0 ? value + 2 ** 64 : value)

const signed = (value: number): string => (value < 0 ? `−${size(-value)}` : size(value))

/** The peer id with dots for bytes that are not printable ASCII. */
function readable(id: string): string {
  return (id.slice(2).match(/../g) ?? [])
    .map((byte) => {
      const code = Number.parseInt(byte, 16)
      return code > 0x20 && code < 0x7f ? String.fromCharCode(code) : '·'
    })
    .join('')
}
