/** What only trackers have that account what users move. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { chart, type Panel, type Select } from './panels.ts'

const NOTHING = 'nothing is accounted'

export const accounting = (of: Select, rate: Select): readonly Panel[] => [
  chart('Moved', {
    description:
      'Bytes a second that clients say they moved. Up far above down for long: some of them claim what no one received; see the flags.',
    unit: units.BytesPerSecondSI,
    width: 8,
    nothing: NOTHING,
    queries: { '{{direction}}': rate('tracker_accounting_bytes_total') },
  }),
  chart('Announces accounted', {
    description:
      'A second, by event. Lost: served and not accounted, because the control thread got no turn; more processors help.',
    unit: units.CountsPerSecond,
    width: 8,
    nothing: NOTHING,
    queries: {
      '{{kind}}': rate('tracker_accounting_events_total'),
      lost: rate('tracker_accounting_events_lost_total'),
    },
  }),
  chart('Flags and limits', {
    description:
      'A second: what looked like cheating, by kind; announces that got no peers because their account is over a limit.',
    unit: units.CountsPerSecond,
    width: 8,
    nothing: NOTHING,
    queries: {
      'flag {{kind}}': rate('tracker_accounting_flags_total'),
      'limit {{limit}}': rate('tracker_accounting_limited_total'),
    },
  }),
  chart('Lag', {
    description:
      'For how long the oldest of what is to be written at once has waited. More than some seconds: the database does not keep up, or does not work.',
    unit: units.Seconds,
    width: 6,
    steps: ['green', [60, 'red']],
    nothing: NOTHING,
    queries: { lag: of('tracker_accounting_lag_seconds') },
  }),
  chart('Batches', {
    description:
      'A second. One that failed is written again, unchanged; the log of the tracker says why it failed.',
    unit: units.CountsPerSecond,
    width: 6,
    nothing: NOTHING,
    queries: { '{{result}}': rate('tracker_accounting_batches_total') },
  }),
  chart('Sessions', {
    description:
      'Clients of accounts on torrents, about 150 bytes each, and those of them that owe the database something, such as seed time.',
    unit: units.Short,
    width: 6,
    nothing: NOTHING,
    queries: {
      sessions: of('tracker_accounting_sessions'),
      owing: of('tracker_accounting_owed_records'),
    },
  }),
  chart('Rings', {
    description:
      'Part of the ring of each serving thread that waits to be accounted. From three quarters on announces without an event are left out: their counters come again.',
    unit: units.PercentUnit,
    width: 6,
    max: 1,
    steps: ['green', [0.75, 'red']],
    nothing: NOTHING,
    queries: { 'thread {{thread}}': of('tracker_accounting_ring_used_ratio') },
  }),
]
