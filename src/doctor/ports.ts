/** Whether the ports of the configuration can be opened, or who has them already. */

import { assertFree } from '../servers/free-port.ts'
import { printAddress } from '../wire/address.ts'
import { type Listener, listenersOf } from './configured-listeners.ts'
import { type Check, type Found, ok, type Patient, problem } from './finding.ts'
import { isOurs, serves } from './listeners.ts'

export const ports: Check = {
  name: 'ports',
  async run(patient) {
    const found: Found[] = []
    const free: string[] = []
    const running: string[] = []
    // One at a time: two of them may want the same port for a moment.
    for (const listener of listenersOf(patient.config)) {
      if (listener.bind_address.port === 0) continue
      const judged = await judge(listener, patient)
      if (judged === 'free') free.push(placeOf(listener))
      else if (judged === 'ours') running.push(placeOf(listener))
      else found.push(judged)
    }
    if (running.length > 0) found.push(ok(`the running tracker has ${running.join(', ')}`))
    if (free.length > 0) found.push(ok(`free: ${free.join(', ')}`))
    return found.length > 0 ? found : ok('every listener has port 0: the system chooses')
  },
}

const placeOf = ({ scheme, bind_address }: Listener): string =>
  `${scheme} ${printAddress(bind_address)}`

async function judge(listener: Listener, patient: Patient): Promise<'free' | 'ours' | Found> {
  const { scheme, name } = listener
  const tracker = await patient.tracker()
  if (serves(tracker, listener)) return 'ours'
  // Its own report does not name it.
  if (name === 'health_check_api' && isOurs(tracker, patient.config)) return 'ours'
  try {
    await (scheme === 'udp' ? assertFree([listener], []) : assertFree([], [listener]))
    return 'free'
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return problem(`${name}: ${reason}`, ...adviceOn(reason, listener))
  }
}

function adviceOn(reason: string, { scheme, bind_address: { port } }: Listener): string[] {
  if (reason.startsWith('port in use'))
    return [
      `ss -${scheme === 'udp' ? 'u' : 't'}lpn 'sport = :${port}'  # says who has it; as root also whose it is`,
      'Stop that program, or give one of the two another port. If it is a tracker: its health API is not at the health_check_api.bind_address of this configuration.',
    ]
  if (reason.startsWith('not permitted'))
    return [
      'setcap cap_net_bind_service=+ep "$(command -v tracker)"  # or in its service: AmbientCapabilities=CAP_NET_BIND_SERVICE',
      `Or let everybody: sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
    ]
  if (reason.startsWith('no such address'))
    return ['ip address  # shows the addresses there are; 0.0.0.0 and [::] stand for all of them']
  return []
}
