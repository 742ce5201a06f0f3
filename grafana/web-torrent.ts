/** What only WebSocket listeners have: of a whole tracker in one dashboard, of one listener in the other. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { chart, type Panel, type Select } from './panels.ts'

const SERVER = 'websocket_tracker_server_'
const NOTHING = 'only over WebSockets'

export const webTorrent = (of: Select, rate: Select): readonly Panel[] => [
  chart('Connections', {
    description:
      'WebSockets that are open. Each is a file: at the limit of open files, or at max_connections, new ones are refused.',
    unit: units.Short,
    width: 6,
    nothing: NOTHING,
    queries: { open: `sum(${of(`${SERVER}connections_open`)})` },
  }),
  chart('Connections that end', {
    description:
      'A second, by reason. Idle: in no torrent, or no answer to a ping. Faulty: many messages that are not understood. Slow: the client does not read.',
    unit: units.CountsPerSecond,
    width: 6,
    nothing: NOTHING,
    queries: { '{{reason}}': `sum by (reason) (${rate(`${SERVER}connections_closed_total`)})` },
  }),
  chart('Relayed', {
    description:
      'Offers and answers a second that were handed to the client that they are for, and those that went to another thread on the way.',
    unit: units.CountsPerSecond,
    width: 6,
    nothing: NOTHING,
    queries: {
      '{{kind}}s': `sum by (kind) (${rate(`${SERVER}messages_relayed_total`)})`,
      'to another thread': `sum(${rate(`${SERVER}links_crossed_total`)})`,
    },
  }),
  chart('Not relayed', {
    description:
      'Offers and answers a second. no_peer: a client makes more offers than its torrent has other peers, which is normal. slow_peer: the other client has too much to read already. rate: too many of one client. link: a thread has too much to do. Answers match no offer, or come too late.',
    unit: units.CountsPerSecond,
    width: 6,
    nothing: NOTHING,
    queries: {
      'offers, {{reason}}': `sum by (reason) (${rate(`${SERVER}offers_dropped_total`)})`,
      answers: `sum(${rate(`${SERVER}answers_refused_total`)})`,
    },
  }),
]
