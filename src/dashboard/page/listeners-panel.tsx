/** Where clients reach the tracker, to be copied into torrents. */

import type { Overview } from '../../view/overview.ts'
import { count, now, UNKNOWN } from './format.ts'
import { Copy, Empty, Panel, Table, Time } from './parts.tsx'

export function ListenersPanel({ overview: { listeners } }: { readonly overview: Overview }) {
  const hasCertificates = listeners.some((one) => one.certificate_ends !== null)
  return (
    <Panel title="Listeners">
      {listeners.length === 0 ? (
        <Empty>The configuration has no tracker: no client can reach it.</Empty>
      ) : (
        <Table
          label="Listeners"
          head={[
            'Announce URL',
            'Bound to',
            '#Served',
            '#Refused',
            '#Dropped',
            '#Lost by the system',
            ...(hasCertificates ? ['Certificate'] : []),
          ]}
        >
          {listeners.map((one) => {
            const announce = reachable(one.announce_url)
            return (
              <tr key={one.url}>
                <td class="code">
                  {announce} <Copy text={announce} label={announce} />
                </td>
                <td class="code">{one.url}</td>
                <td class="figure">{count(one.served)}</td>
                <td class="figure">{count(one.refused)}</td>
                <td class="figure">{count(one.dropped)}</td>
                <td class="figure">
                  {one.buffer_drops === null ? UNKNOWN : count(one.buffer_drops)}
                </td>
                {hasCertificates && (
                  <td>
                    {one.certificate_ends === null ? (
                      UNKNOWN
                    ) : (
                      <>
                        ends <Time seconds={one.certificate_ends} at={now()} />
                      </>
                    )}
                  </td>
                )}
              </tr>
            )
          })}
        </Table>
      )}
    </Panel>
  )
}

/** What only WebSocket listeners have. */
export function WebTorrentPanel({ overview: { listeners } }: { readonly overview: Overview }) {
  const rows = listeners.flatMap(({ url, web }) => (web === undefined ? [] : [{ url, ...web }]))
  if (rows.length === 0) return null
  return (
    <Panel title="WebTorrent">
      <Table
        label="WebTorrent"
        head={[
          'Bound to',
          '#Open connections',
          '#Announces',
          '#Offers relayed',
          '#Answers relayed',
          '#Offers dropped',
        ]}
      >
        {rows.map((one) => (
          <tr key={one.url}>
            <th scope="row" class="code">
              {one.url}
            </th>
            <td class="figure">{count(one.open)}</td>
            <td class="figure">{count(one.announces)}</td>
            <td class="figure">{count(one.offers_relayed)}</td>
            <td class="figure">{count(one.answers_relayed)}</td>
            <td class="figure">{count(one.offers_dropped)}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

/** A listener of all addresses has a placeholder where the host belongs: that of this page is the best guess. */
const reachable = (url: string): string => url.replace('://HOST', `://${location.hostname}`)
