/** Whether the tracker is well, what it does now, and what it did within the last hour and day. */
import { useState } from 'preact/hooks'
import type { Overview } from '../../view/overview.ts'
import { Chart, type Line } from './chart.tsx'
import { count, percent, rate, several, shortTime, size, UNKNOWN } from './format.ts'
import { type Figures, type Range, type Series, useHistory } from './history.ts'
import { ListenersPanel, WebTorrentPanel } from './listeners-panel.tsx'
import {
  DatabasePanel,
  MachinePanel,
  RefusalsPanel,
  SizesPanel,
  ThreadsPanel,
  TransportsPanel,
} from './now-panels.tsx'
import { Figure, Page, Status, Time } from './parts.tsx'
import { useShared } from './state.ts'

export function NowPage() {
  const { overview } = useShared()
  if (overview === undefined)
    return (
      <Page title="Now">
        <p class="opening">Asking the tracker…</p>
      </Page>
    )
  return (
    <Page title="Now" aside={<Version overview={overview} />}>
      <Alerts overview={overview} />
      <Summary overview={overview} />
      <Charts overview={overview} />
      <ListenersPanel overview={overview} />
      <WebTorrentPanel overview={overview} />
      <div class="panels">
        <div>
          <TransportsPanel overview={overview} />
          <RefusalsPanel overview={overview} />
          <ThreadsPanel />
          <MachinePanel overview={overview} />
        </div>
        <div>
          <DatabasePanel />
          <SizesPanel overview={overview} />
        </div>
      </div>
    </Page>
  )
}

function Version({ overview: { version, commit, started, now } }: OfOverview) {
  return (
    <p class="note">
      Version {version}
      {commit !== null && ` (${commit.slice(0, 7)})`}, started <Time seconds={started} at={now} />
    </p>
  )
}
type OfOverview = { readonly overview: Overview }

function Alerts({ overview: { alerts } }: OfOverview) {
  return (
    <section class="alerts" aria-label="Alerts">
      {alerts.length === 0 ? (
        <p class="alert ok">
          <Status kind="ok">All is well</Status>
          <span>Clients are served, and nothing asks for your attention.</span>
        </p>
      ) : (
        alerts.map(({ level, name, text }) => (
          <p key={name + text} class={`alert ${level}`}>
            <Status kind={level}>{level === 'critical' ? 'Critical' : 'Warning'}</Status>
            <span>{withCode(text)}</span>
          </p>
        ))
      )}
    </section>
  )
}

/** Commands stand between backticks. */
const withCode = (text: string) =>
  text.split('`').map((part, i) => (i % 2 === 0 ? part : <code key={part}>{part}</code>))

function Summary({ overview }: OfOverview) {
  const { moment, seeders, leechers, torrents, memory, families } = overview
  const { downloads, downloads_stored } = overview
  const served =
    moment && (moment.udpServed ?? 0) + (moment.httpServed ?? 0) + (moment.webServed ?? 0)
  const refused =
    moment && (moment.udpRefused ?? 0) + (moment.httpRefused ?? 0) + (moment.webRefused ?? 0)
  const [transport, slowest] = (
    [
      ['UDP', moment?.udpSlowest],
      ['HTTP', moment?.httpSlowest],
      ['WebSocket', moment?.webSlowest],
    ] as const
  ).find(([, time]) => typeof time === 'number') ?? ['UDP', undefined]
  return (
    <dl class="stats" aria-label="Summary">
      <Figure
        label="Requests served"
        value={`${rate(served)}/s`}
        note={`${rate(refused)}/s refused`}
      />
      <Figure
        label="Answer time, 99 %"
        value={shortTime(slowest)}
        note={transport}
        title="99 of 100 requests of the last second were answered within this time"
      />
      <Figure
        label="Peers"
        value={count(seeders + leechers)}
        note={`${count(seeders)} seed, ${count(leechers)} leech`}
        title={families
          .map((one) => `${familyName(one.family)}: ${count(one.seeders + one.leechers)}`)
          .join(', ')}
      />
      <Figure
        label="Torrents"
        value={count(torrents)}
        note={several(downloads_stored ?? downloads, 'download')}
      />
      <Figure
        label="Memory for peers"
        value={percent(memory.used / memory.limit)}
        note={`${size(memory.used)} of ${size(memory.limit)}`}
      />
    </dl>
  )
}

/** What is no version of IP is the family of WebTorrent peers. */
const familyName = (family: number): string =>
  family === 4 || family === 6 ? `IPv${family}` : 'WebTorrent'

const RANGES: readonly (readonly [range: Range, label: string])[] = [
  ['hour', 'Last hour'],
  ['day', 'Last 24 hours'],
]

function Charts({ overview }: OfOverview) {
  const [range, setRange] = useState<Range>('hour')
  const figures = useHistory(range)
  return (
    <section class="charts" aria-labelledby="charts">
      <header>
        <h2 id="charts">Over time</h2>
        <fieldset class="choice">
          <legend class="hidden">Time shown</legend>
          {RANGES.map(([name, label]) => (
            <label key={name}>
              <input
                type="radio"
                name="range"
                checked={name === range}
                onChange={() => setRange(name)}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
      </header>
      <div class="grid">
        {figures === undefined ? (
          <p class="opening">Asking for the figures…</p>
        ) : (
          <AllCharts key={range} figures={figures} overview={overview} />
        )}
      </div>
    </section>
  )
}

function AllCharts({ figures, overview }: OfOverview & { readonly figures: Figures }) {
  const { times, series } = figures
  const line = (label: string, name: Series, colour: number, isDashed = false): Line => ({
    label,
    values: series[name] ?? [],
    colour,
    isDashed,
  })
  return (
    <>
      <Chart
        times={times}
        title="Requests per second"
        format={rate}
        lines={[
          line('UDP served', 'udpServed', 1),
          line('UDP refused', 'udpRefused', 3),
          line('UDP dropped', 'udpDropped', 3, true),
          line('HTTP served', 'httpServed', 2),
          line('HTTP refused', 'httpRefused', 4),
        ]}
      />
      <Chart
        times={times}
        title="Answer time"
        format={shortTime}
        lines={[
          line('UDP half', 'udpMedian', 1),
          line('UDP 99 %', 'udpSlowest', 1, true),
          line('HTTP half', 'httpMedian', 2),
          line('HTTP 99 %', 'httpSlowest', 2, true),
        ]}
      />
      <Chart
        times={times}
        title="Peers and torrents"
        format={short}
        lines={[
          line('Seeders', 'seeders', 1),
          line('Leechers', 'leechers', 2),
          line('Torrents', 'torrents', 4, true),
        ]}
      />
      <Chart
        times={times}
        title="Memory"
        format={size}
        isBytes
        lines={[line('Peers', 'memoryUsed', 1), line('Whole process', 'residentBytes', 2)]}
        limit={{ label: 'Budget for peers', value: overview.memory.limit }}
      />
      <Chart
        times={times}
        title="Busiest serving thread"
        format={percent}
        lines={[line('Busy', 'busiest', 1)]}
      />
      <Chart
        times={times}
        title="Traffic per second"
        format={size}
        isBytes
        lines={[line('Received', 'bytesReceived', 1), line('Sent', 'bytesSent', 2)]}
      />
      {overview.listeners.some(({ web }) => web !== undefined) && (
        <>
          <Chart
            times={times}
            title="WebTorrent per second"
            format={rate}
            lines={[
              line('Served', 'webServed', 1),
              line('Relayed', 'webRelayed', 2),
              line('Refused', 'webRefused', 3),
            ]}
          />
          <Chart
            times={times}
            title="WebTorrent answer time"
            format={shortTime}
            lines={[line('Half', 'webMedian', 1), line('99 %', 'webSlowest', 1, true)]}
          />
          <Chart
            times={times}
            title="WebTorrent connections"
            format={short}
            lines={[line('Open', 'webOpen', 1)]}
          />
        </>
      )}
    </>
  )
}

/** `1.2 M` where an axis has no room. */
const COMPACT = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })
const short = (value: number): string => (Number.isNaN(value) ? UNKNOWN : COMPACT.format(value))
