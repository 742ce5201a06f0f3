/** What the system gives the tracker: open files, memory, swap, the time. */

import { count, percent, size, sysctl } from '../text/figures.ts'
import { type Check, ok, problem, type Result, skipped, warning } from './finding.ts'
import { insideContainer, type Machine, memoryLimit, processNames } from './machine.ts'

/** Each connection of an HTTP client is an open file, and stays open for a while. */
const FEW_FILES = 2_048
const MANY_FILES = 65_536
/** Enough without HTTP: the program, its libraries, sockets, the database. */
const ENOUGH_FOR_UDP = 256

export const files: Check = {
  name: 'files',
  linux: true,
  run({ config, machine }) {
    const shortage = systemFiles(machine)
    if (shortage) return shortage
    const found = limit(machine.text('/proc/self/limits'), 'Max open files')
    if (found === undefined) return skipped('/proc/self/limits does not show the limit')
    // The runtime raises the soft limit of its process to the hard one when it starts.
    const most = found.hard
    const http = (config.http_trackers ?? []).length > 0
    const text = `processes of this user may open ${most === Number.POSITIVE_INFINITY ? 'any number of' : count(most)} files${http ? ', and each HTTP client takes one' : ''}; a service has a limit of its own`
    const needed = http ? MANY_FILES : ENOUGH_FOR_UDP
    if (most >= needed) return ok(text)
    const advice = [
      'systemctl edit tracker  # and write: [Service], LimitNOFILE=524288',
      `ulimit -Hn ${MANY_FILES}  # as root, in the shell that starts the tracker`,
      `docker run --ulimit nofile=${MANY_FILES}:${MANY_FILES} …`,
    ]
    return most < (http ? FEW_FILES : ENOUGH_FOR_UDP)
      ? problem(text, ...advice)
      : warning(text, ...advice)
  },
}

/** A shortage of open files on the whole machine, if there is one. */
function systemFiles(machine: Machine): Result | undefined {
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

/** Memory of the process beside the swarm: threads, the database, buffers, the program itself. */
const PROCESS_BYTES = 256 * 2 ** 20
/** Address space that the process reserves without using it. */
const ADDRESS_SPACE_BYTES = 8 * 2 ** 30

export const memory: Check = {
  name: 'memory',
  linux: true,
  run({ config, machine }) {
    const text = machine.text('/proc/meminfo')
    const whole = meminfo(text, 'MemTotal')
    if (whole === undefined) return skipped('/proc/meminfo does not show how much there is')
    const limited = memoryLimit(machine)
    const inGroup = limited !== undefined && limited < whole
    const most = inGroup ? limited : whole
    const swarm = config.runtime.max_memory || Math.floor(most / 2)
    const plan = `the swarm may take ${size(swarm)}${config.runtime.max_memory === 0 ? ' (half, runtime.max_memory is 0)' : ' (runtime.max_memory)'} of ${size(most)} ${inGroup ? 'that the control group of this process allows' : 'that the machine has'}`
    const fits = `runtime.max_memory = "${Math.max(16, Math.floor((most - PROCESS_BYTES) / 2 ** 20 / 2))}MiB"`
    if (swarm > most)
      return problem(`${plan}: the system kills the tracker before the swarm is full`, fits)
    const space = limit(machine.maybe('/proc/self/limits') ?? '', 'Max address space')
    if (space && space.hard < swarm + ADDRESS_SPACE_BYTES)
      return problem(
        `${plan}, but a process may reserve ${size(space.hard)} of address space only`,
        `ulimit -v unlimited  # as root, in the shell that starts the tracker`,
        'systemctl edit tracker  # and write: [Service], LimitAS=infinity',
      )
    return (
      overcommitment(machine, text, swarm, plan) ?? room(text, swarm, most, plan, inGroup, fits)
    )
  },
}

/** A system that does not overcommit memory counts what is reserved as used. */
function overcommitment(
  machine: Machine,
  text: string,
  swarm: number,
  plan: string,
): Result | undefined {
  const promised = meminfo(text, 'Committed_AS')
  const most = meminfo(text, 'CommitLimit')
  if (machine.maybeNumber('/proc/sys/vm/overcommit_memory') !== 2) return undefined
  if (promised === undefined || most === undefined || swarm < most - promised) return undefined
  return problem(
    `${plan}, but vm.overcommit_memory is 2 and only ${size(Math.max(0, most - promised))} can still be reserved`,
    ...sysctl({ 'vm.overcommit_memory': 0 }),
  )
}

function room(
  text: string,
  swarm: number,
  most: number,
  plan: string,
  inGroup: boolean,
  fits: string,
): Result {
  if (swarm + PROCESS_BYTES > most)
    return warning(`${plan}: that leaves too little for everything else`, fits)
  const free = meminfo(text, 'MemAvailable')
  // In a control group this is the memory of the whole machine.
  if (inGroup || free === undefined) return ok(plan)
  if (swarm > free)
    return warning(
      `${plan}, and ${size(free)} are available now (less the share that a running tracker has taken already)`,
      'See what has the rest: ps -eo rss,comm --sort=-rss | head',
    )
  return ok(`${plan}; ${size(free)} are available now`)
}

/** Share of swap in use above what idle programs explain. */
const SWAPPED = 0.25

export const swap: Check = {
  name: 'swap',
  linux: true,
  run({ machine }) {
    const text = machine.text('/proc/meminfo')
    const all = meminfo(text, 'SwapTotal') ?? 0
    const used = all - (meminfo(text, 'SwapFree') ?? all)
    if (all === 0) return ok('there is none')
    const use = `${size(used)} of ${size(all)} in use (${percent(used / all)}), vm.swappiness is ${machine.maybeNumber('/proc/sys/vm/swappiness') ?? 'not known'}`
    if (used / all < SWAPPED) return ok(use)
    return warning(
      `${use}: a swarm that has to come from the disk answers late`,
      ...sysctl({ 'vm.swappiness': 1 }),
      'Set a smaller runtime.max_memory, or give the machine more memory.',
    )
  },
}

/** Soft and hard limit of a row of `/proc/PID/limits`. */
function limit(text: string, name: string): { soft: number; hard: number } | undefined {
  const line = text.split('\n').find((one) => one.startsWith(name))
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/).map(amount) ?? []
  return soft === undefined || hard === undefined || Number.isNaN(soft + hard)
    ? undefined
    : { soft, hard }
}

const amount = (word: string): number =>
  word === 'unlimited' ? Number.POSITIVE_INFINITY : /^\d+$/.test(word) ? Number(word) : Number.NaN

/** Bytes of a row of `/proc/meminfo`. */
function meminfo(text: string, name: string): number | undefined {
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text) ?? []
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

/** Before this program was written, so the clock is wrong: 2025-01-01. */
const EARLIEST_SECOND = 1_735_689_600
/** Exists once systemd-timesyncd has set the clock. */
const SYNCHRONISED = '/run/systemd/timesync/synchronized'
/** As the kernel cuts it. */
const TIMESYNCD = 'systemd-timesyn'
/** Other programs that keep the clock right, and the commands that show how well. */
const TIME_DAEMONS: Readonly<Record<string, string>> = {
  chronyd: 'chronyc tracking',
  ntpd: 'ntpq -p',
  openntpd: 'ntpctl -s status',
  ptp4l: 'pmc -u "GET TIME_STATUS_NP"',
  phc2sys: 'pmc -u "GET TIME_STATUS_NP"',
}

/** Auth keys and certificates expire by the clock. */
export const clock: Check = {
  name: 'clock',
  linux: true,
  run({ machine, clock, config }) {
    const now = clock.seconds()
    const shown = `${new Date(now * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
    const why = config.core.private ? ' Keys expire by it.' : ''
    const set = 'timedatectl set-ntp true  # or: apt-get install chrony'
    if (now < EARLIEST_SECOND) return problem(`it says ${shown}, which is in the past.${why}`, set)
    if (machine.exists(SYNCHRONISED)) return ok(`${shown}, kept by systemd-timesyncd`)
    if (insideContainer(machine))
      return skipped(`${shown}; a container has the clock of its host: type timedatectl there`)
    const running = processNames(machine)
    const daemon = Object.keys(TIME_DAEMONS).find((name) => running.has(name))
    if (daemon !== undefined)
      return ok(`${shown}, kept by ${daemon}; ${TIME_DAEMONS[daemon]} shows how well`)
    if (running.has(TIMESYNCD))
      return warning(
        `${shown}; systemd-timesyncd runs, but has not set the clock.${why}`,
        'timedatectl timesync-status',
        'Does a firewall block outgoing UDP to port 123?',
      )
    return warning(`${shown}, and no known program keeps it right.${why}`, set)
  },
}
