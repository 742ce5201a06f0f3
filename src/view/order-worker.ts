/** Entry of the short-lived thread that puts the torrents of a large swarm in order. It takes no lock. */
import { parentPort } from 'node:worker_threads'
import { Swarm, type SwarmMemory } from '../swarm/swarm.ts'
import { patiently } from '../time/turns.ts'
import { orderOf } from './order.ts'

parentPort?.once('message', async (memory: SwarmMemory) => {
  // Numbers that only matter to threads that lock or choose peers.
  const swarm = new Swarm(memory, 1, 1)
  const order = await patiently(() => orderOf(swarm))
  parentPort?.postMessage(order, [order.hashes.buffer, order.places.buffer])
})
