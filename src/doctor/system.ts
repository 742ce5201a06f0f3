/** What the system allows one process: open files and memory. */

import { count, percent, size, sysctl } from '../text/figures.ts'
import { type Check, type Found, ok, problem, skipped, warning } from './finding.ts'
import { insideContainer, type Machine, memoryLimit, processes } from './machine.ts'

/** Connections of HTTP clients take one file each, and are kept open for a while. */
const FEW_FILES = 2_048
const MANY_FILES = 65_536
/** What else there is: the program, its libraries, sockets, the database. */
const MANY_FOR_UDP = 256

export const files: Check = {
  name: 'files',
  linux: true,
  run({ config, machine }) {
    const all = allFiles(machine)
    if (all) return all
    const found = limit(machine.text('/proc/self/limits'), 'Max open files')
    if (found === undefined) return skipped('/proc/self/limits does not say how many files')
    // The runtime raises the soft limit of its process to the hard one when it starts.
    const most = found.hard
    const http = (config.http_trackers ?? []).length > 0
    const told = `this user's processes may open ${most === Number.POSITIVE_INFINITY ? 'any number of' : count(most)} files${http ? ', and every HTTP client takes one' : ''}; a service has a limit of its own`
    const needed = http ? MANY_FILES : MANY_FOR_UDP
    if (most >= needed) return ok(told)
    const advice = [
      'systemctl edit tracker  # and write: [Service], LimitNOFILE=524288',
      `ulimit -Hn ${MANY_FILES}  # as root, in the shell that starts the tracker`,
      `docker run --ulimit nofile=${MANY_FILES}:${MANY_FILES} …`,
    ]
    return most < (http ? FEW_FILES : MANY_FOR_UDP)
      ? problem(told, ...advice)
      : warning(told, ...advice)
  },
}

/** Trouble of the whole machine, if there is any. */
function allFiles(machine: Machine): Found | undefined {
  const [used, , most] = (machine.maybe('/proc/sys/fs/file-nr') ?? '')
    .trim()
    .split(/\s+/)
    .map(Number)
  if (!used || !most || used < most * 0.9) return undefined
  return problem(
    `${count(used)} of the ${count(most)} files that the whole machine may open are open (fs.file-max)`,
    ...sysctl({ 'fs.file-max': Math.max(most * 4, 1_048_576) }),
  )
}

/** What a process needs beside the swarm: threads, the database, buffers, the program itself. */
const PROCESS_BYTES = 256 * 2 ** 20
/** Address space that it takes without ever using it. */
const ADDRESS_SPACE_BYTES = 8 * 2 ** 30

export const memory: Check = {
  name: 'memory',
  linux: true,
  run({ config, machine }) {
    const text = machine.text('/proc/meminfo')
    const whole = meminfo(text, 'MemTotal')
    if (whole === undefined) return skipped('/proc/meminfo does not say how much there is')
    const limited = memoryLimit(machine)
    const inGroup = limited !== undefined && limited < whole
    const most = inGroup ? limited : whole
    const swarm = config.runtime.max_memory || Math.floor(most / 2)
    const told = `the swarm may take ${size(swarm)}${config.runtime.max_memory === 0 ? ' (half, runtime.max_memory is 0)' : ' (runtime.max_memory)'} of ${size(most)} ${inGroup ? 'that the control group of this process allows' : 'that the machine has'}`
    const fits = `runtime.max_memory = "${Math.max(16, Math.floor((most - PROCESS_BYTES) / 2 ** 20 / 2))}MiB"`
    if (swarm > most) return problem(`${told}: the system ends the tracker before it is full`, fits)
    const space = limit(machine.maybe('/proc/self/limits') ?? '', 'Max address space')
    if (space && space.hard < swarm + ADDRESS_SPACE_BYTES)
      return problem(
        `${told}, but a process may reserve ${size(space.hard)} of address space only`,
        `ulimit -v unlimited  # as root, in the shell that starts the tracker`,
        'systemctl edit tracker  # and write: [Service], LimitAS=infinity',
      )
    return strict(machine, text, swarm, told) ?? roomFor(text, swarm, most, told, inGroup, fits)
  },
}

/** Where the system promises no more than it has, reserving is taking. */
function strict(machine: Machine, text: string, swarm: number, told: string): Found | undefined {
  const promised = meminfo(text, 'Committed_AS')
  const most = meminfo(text, 'CommitLimit')
  if (machine.maybeNumber('/proc/sys/vm/overcommit_memory') !== 2) return undefined
  if (promised === undefined || most === undefined || swarm < most - promised) return undefined
  return problem(
    `${told}, but vm.overcommit_memory is 2 and only ${size(Math.max(0, most - promised))} can still be reserved`,
    ...sysctl({ 'vm.overcommit_memory': 0 }),
  )
}

function roomFor(
  text: string,
  swarm: number,
  most: number,
  told: string,
  inGroup: boolean,
  fits: string,
): Found {
  if (swarm + PROCESS_BYTES > most)
    return warning(`${told}: that leaves too little for everything else`, fits)
  const free = meminfo(text, 'MemAvailable')
  // In a control group this is the memory of others, too.
  if (inGroup || free === undefined) return ok(told)
  if (swarm > free)
    return warning(
      `${told}, and ${size(free)} are available now (if the tracker runs already, it has taken its share of the rest)`,
      'See what has the rest: ps -eo rss,comm --sort=-rss | head',
    )
  return ok(`${told}; ${size(free)} are available now`)
}

/** Swap that is in use and more than what nobody ever asks for again. */
const SWAPPED = 0.25

export const swap: Check = {
  name: 'swap',
  linux: true,
  run({ machine }) {
    const text = machine.text('/proc/meminfo')
    const all = meminfo(text, 'SwapTotal') ?? 0
    const used = all - (meminfo(text, 'SwapFree') ?? all)
    if (all === 0) return ok('there is none')
    const told = `${size(used)} of ${size(all)} in use (${percent(used / all)}), vm.swappiness is ${machine.maybeNumber('/proc/sys/vm/swappiness') ?? 'not known'}`
    if (used / all < SWAPPED) return ok(told)
    return warning(
      `${told}: a swarm that has to come from the disk answers late`,
      ...sysctl({ 'vm.swappiness': 1 }),
      'Set a smaller runtime.max_memory, or give the machine more memory.',
    )
  },
}

/** Of `/proc/PID/limits`: the soft and the hard limit. */
function limit(text: string, name: string): { soft: number; hard: number } | undefined {
  const line = text.split('\n').find((one) => one.startsWith(name))
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/).map(amount) ?? []
  return soft === undefined || hard === undefined || Number.isNaN(soft + hard)
    ? undefined
    : { soft, hard }
}

const amount = (word: string): number =>
  word === 'unlimited' ? Number.POSITIVE_INFINITY : /^\d+$/.test(word) ? Number(word) : Number.NaN

/** Of `/proc/meminfo`: bytes. */
function meminfo(text: string, name: string): number | undefined {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

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
