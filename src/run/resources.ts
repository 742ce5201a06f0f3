/** How much of the machine a configuration lets the tracker use. It cannot change while the tracker runs. */
import { availableParallelism, totalmem } from 'node:os'
import type { Config } from '../config/model.ts'
import type { Log } from '../log/log.ts'
import { drawSeed } from '../memory/hash.ts'
import { FAMILIES, WEB_ROW } from '../swarm/layout.ts'
import { createSwarmMemory, type SwarmMemory } from '../swarm/swarm.ts'
import { mostFiles } from './process-figures.ts'

/** The number of serving threads. */
export function threadCount(config: Config, log: Log): number {
  const wanted = config.runtime.workers || availableParallelism()
  if (process.platform === 'linux' || wanted === 1) return wanted
  if (config.runtime.workers > 1)
    log.warn(
      'TRACKER',
      'runtime.workers: several threads can share a port on Linux only; using one',
    )
  return 1
}

/** Throws one line when there is no memory. */
export function reserve(config: Config): SwarmMemory {
  const bytes = config.runtime.max_memory || Math.floor(memoryOfMachine() / 2)
  try {
    const { persistent_torrent_completed_stat: persistent } = config.core.tracker_policy
    // What the swarm holds beside the rest for WebTorrent peers is only there when they can come.
    const rows = config.websocket_trackers?.length ? [...FAMILIES, WEB_ROW] : FAMILIES
    return createSwarmMemory(bytes, drawSeed(), persistent, rows)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Error(
      `cannot reserve ${Math.floor(bytes / 2 ** 20)} MiB of address space for the swarm: set a smaller runtime.max_memory, or allow more (ulimit -v, vm.overcommit_memory)`,
    )
  }
}

/** Share of the open files that WebSockets may have, unless the configuration says how many. */
const WEB_SOCKETS = 0.8

export const mostWebSockets = (): number => Math.floor((mostFiles() ?? Infinity) * WEB_SOCKETS)

/** Bytes of the machine, or of the container if that has less. */
function memoryOfMachine(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
