/** Everything the doctor looks at, in the order in which it tells. */
import { certificates } from './certificates.ts'
import { conntrack } from './conntrack.ts'
import { database } from './database-check.ts'
import type { Group } from './finding.ts'
import { health } from './listeners.ts'
import { container, ipv6 } from './network.ts'
import { ports } from './ports.ts'
import { receiveBacklog, softirq, workers } from './processor.ts'
import { publicUrl } from './public-url.ts'
import { receiveBuffer, receiveDrops } from './receive.ts'
import { files, memory, swap } from './system.ts'
import { clock } from './time-sync.ts'

export const GROUPS: readonly Group[] = [
  { title: 'Tracker', checks: [health, ports, publicUrl, database, certificates, clock] },
  { title: 'Datagrams', checks: [receiveBuffer, receiveDrops, conntrack] },
  { title: 'Network', checks: [ipv6, container] },
  { title: 'Processor', checks: [softirq, receiveBacklog, workers] },
  { title: 'Limits', checks: [files, memory, swap] },
]
