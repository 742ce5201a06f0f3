/** What the tracker does now, a panel for each part of it. */
import type { Refusal } from '../../refusal.ts'
import type { Overview } from '../../view/overview.ts'
import { count, percent, rate, shortTime, size, UNKNOWN } from './format.ts'
import { Empty, Figure, Panel, Status, Table } from './parts.tsx'
import { useShared } from './state.ts'

type OfOverview = { readonly overview: Overview }

export function TransportsPanel({ overview: { moment, listeners } }: OfOverview) {
  const rows = [
    ['UDP', moment?.udpServed, moment?.udpRefused, moment?.udpDropped, 'udp'],
    ['HTTP', moment?.httpServed, moment?.httpRefused, undefined, 'http'],
    ...(listeners.some(({ web }) => web !== undefined)
      ? [['WebSocket', moment?.webServed, moment?.webRefused, undefined, 'web'] as const]
      : []),
  ] as const
  const times = {
    udp: [moment?.udpMedian, moment?.udpSlowest],
    http: [moment?.httpMedian, moment?.httpSlowest],
    web: [moment?.webMedian, moment?.webSlowest],
  }
  return (
    <Panel title="Requests in the last second">
      <Table
        label="Requests in the last second"
        head={['Transport', '#Served', '#Refused', '#Dropped', '#Half within', '#99 % within']}
      >
        {rows.map(([name, served, refused, dropped, key]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="figure">{rate(served)}</td>
            <td class="figure">{rate(refused)}</td>
            <td class="figure">{rate(dropped)}</td>
            <td class="figure">{shortTime(times[key][0])}</td>
            <td class="figure">{shortTime(times[key][1])}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

const REASONS: Readonly<Record<Refusal, string>> = {
  badDatagram: 'Malformed datagram',
  badQuery: 'Malformed query',
  announceUnproven: 'Wrong connection id',
  scrapeUnproven: 'Wrong connection id',
  keyMalformed: 'Malformed key',
  keyMissing: 'No key',
  keyUnknown: 'Unknown key',
  keyExpired: 'Key has expired',
  unlisted: 'Torrent is not whitelisted',
  addressNotForwarded: 'Proxy did not name the client',
  addressUnknown: 'Client was gone',
  addressIsName: 'ip is a DNS name',
  addressInvalid: 'ip is no address',
  banned: 'Banned',
  full: 'Memory is spent',
}

/** `name` as in metrics and in the log: `key_missing`. */
function reasonOf(name: string): string {
  const own = name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  return Object.entries(REASONS).find(([known]) => known === own)?.[1] ?? name
}

export function RefusalsPanel({ overview: { refusals } }: OfOverview) {
  const all = refusals.reduce((sum, { count: more }) => sum + more, 0)
  return (
    <Panel title="Refused since the start">
      {refusals.length === 0 ? (
        <Empty>No request was refused.</Empty>
      ) : (
        <Table label="Refused since the start" head={['Reason', 'Request', '#Count', '#Share']}>
          {refusals.map(({ kind, reason, count: times }) => (
            <tr key={kind + reason}>
              <th scope="row">{reasonOf(reason)}</th>
              <td>{kind}</td>
              <td class="figure">{count(times)}</td>
              <td class="figure">{percent(times / all)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  )
}

/** Over the last seconds. */
export function ThreadsPanel() {
  const { recent } = useShared()
  const [first, last] = [recent[0], recent.at(-1)]
  if (first === undefined || last === undefined) return null
  return (
    <Panel title="Threads">
      <Table label="Threads" head={['Thread', '#Busy', '!Share', '#Late by']}>
        {last.threads.map(({ name, ran, delay }) => {
          const before = first.threads.find((one) => one.name === name)?.ran ?? null
          const seconds = last.now - first.now
          const share =
            ran === null || before === null || seconds <= 0
              ? undefined
              : Math.min(1, Math.max(0, (ran - before) / seconds))
          return (
            <tr key={name}>
              <th scope="row">{name === 'control' ? 'Control' : `Serving ${name}`}</th>
              <td class="figure">{share === undefined ? UNKNOWN : percent(share)}</td>
              <td class="bar-cell">
                <Bar share={share ?? 0} />
              </td>
              <td class="figure">{shortTime(delay)}</td>
            </tr>
          )
        })}
      </Table>
      {last.thread_deaths > 0 && (
        <p class="note">{count(last.thread_deaths)} died and were replaced since the start.</p>
      )}
    </Panel>
  )
}

export function MachinePanel({ overview }: OfOverview) {
  const { memory, process, refused_full } = overview
  const { open_files, most_files } = process
  return (
    <Panel title="Memory and files">
      <Bar share={memory.used / memory.limit} />
      <dl class="pairs">
        <Figure label="For peers" value={`${size(memory.used)} of ${size(memory.limit)}`} />
        <Figure label="Whole process" value={size(process.resident)} />
        <Figure label="Announces refused because full" value={count(refused_full)} />
        <Figure
          label="Open files"
          value={
            open_files === null
              ? UNKNOWN
              : `${count(open_files)}${most_files === null ? '' : ` of ${count(most_files)}`}`
          }
        />
      </dl>
    </Panel>
  )
}

export function DatabasePanel() {
  const { recent } = useShared()
  const [first, last] = [recent[0]?.database, recent.at(-1)?.database]
  if (!last)
    return (
      <Panel title="Database">
        <Empty>There is none: keys, whitelist and counts of downloads cannot be stored.</Empty>
      </Panel>
    )
  const calls = last.calls - (first?.calls ?? 0)
  const mean = calls > 0 ? (last.seconds - (first?.seconds ?? 0)) / calls : undefined
  const meanOfAll = last.calls > 0 ? last.seconds / last.calls : undefined
  return (
    <Panel
      title="Database"
      aside={
        <Status kind={last.works ? 'ok' : 'critical'}>
          {last.works ? 'Works' : 'Does not work'}
        </Status>
      }
    >
      <dl class="pairs">
        <Figure label="Mean time of a call" value={shortTime(mean ?? meanOfAll)} />
        <Figure label="Calls since the start" value={count(last.calls)} />
        <Figure label="Failed calls" value={count(last.failures)} />
        <Figure label="Downloads to be written" value={count(last.owed)} />
      </dl>
    </Panel>
  )
}

export function SizesPanel({ overview: { sizes } }: OfOverview) {
  const known = sizes ?? []
  const most = Math.max(1, ...known)
  const first = known.findIndex((torrents) => torrents > 0)
  const last = known.findLastIndex((torrents) => torrents > 0)
  return (
    <Panel title="Torrents by number of peers">
      {last < 0 ? (
        <Empty>Counted by the next sweep.</Empty>
      ) : (
        <Table label="Torrents by number of peers" head={['Peers', '#Torrents', '!Share']}>
          {known.slice(first, last + 1).map((torrents, i) => (
            <tr key={bucketName(first + i)}>
              <th scope="row">{bucketName(first + i)}</th>
              <td class="figure">{count(torrents)}</td>
              <td class="bar-cell">
                <Bar share={torrents / most} isPart />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Panel>
  )
}

/** None, 1, 2–3, 4–7 and so on. */
function bucketName(index: number): string {
  if (index < 2) return String(index)
  return `${count(2 ** (index - 1))}–${count(2 ** index - 1)}`
}

/** The figure beside it says the same. */
function Bar({ share, isPart = false }: { readonly share: number; readonly isPart?: boolean }) {
  // A part of a whole is never too much.
  const kind = !isPart && share >= 0.9 ? 'high' : ''
  return (
    <div class={`meter ${kind}`} aria-hidden="true">
      <i style={{ width: `${Math.min(100, share * 100)}%` }} />
    </div>
  )
}
