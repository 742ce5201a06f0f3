/** Whether the clock is right: keys expire by it, and certificates are good or not. */

import { type Check, ok, problem, skipped, warning } from './finding.ts'
import { insideContainer, processes } from './network.ts'

/** Nobody runs this before it was written: 2025-01-01. */
const EARLIEST_SECOND = 1_735_689_600
/** Made when systemd-timesyncd has set the clock. */
const SYNCHRONISED = '/run/systemd/timesync/synchronized'
const TIMESYNCD = 'systemd-timesyn'
/** Others that keep clocks, and how they are asked. Names have at most 15 characters there. */
const KEEPERS: Readonly<Record<string, string>> = {
  chronyd: 'chronyc tracking',
  ntpd: 'ntpq -p',
  openntpd: 'ntpctl -s status',
  ptp4l: 'pmc -u "GET TIME_STATUS_NP"',
  phc2sys: 'pmc -u "GET TIME_STATUS_NP"',
}

export const clock: Check = {
  name: 'clock',
  linux: true,
  run({ machine, clock, config }) {
    const now = clock.seconds()
    const shown = `${new Date(now * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
    const why = config.core.private ? ' Keys expire by it.' : ''
    const set = 'timedatectl set-ntp true  # or: apt-get install chrony'
    if (now < EARLIEST_SECOND) return problem(`it says ${shown}, which is over.${why}`, set)
    if (machine.exists(SYNCHRONISED)) return ok(`${shown}, kept by systemd-timesyncd`)
    if (insideContainer(machine))
      return skipped(`${shown}; in a container the clock is the host's: type timedatectl there`)
    const running = processes(machine)
    const keeper = Object.keys(KEEPERS).find((name) => running.has(name))
    if (keeper !== undefined)
      return ok(`${shown}, kept by ${keeper}; how well it does, ${KEEPERS[keeper]} tells`)
    if (running.has(TIMESYNCD))
      return warning(
        `${shown}; systemd-timesyncd runs, but has not set the clock.${why}`,
        'timedatectl timesync-status',
        'Does a firewall let UDP port 123 out?',
      )
    return warning(`${shown}, and no program that is known for it keeps it right.${why}`, set)
  },
}
