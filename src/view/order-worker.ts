/** Entry of the short-lived thread that puts the torrents of a large swarm in order. It takes no lock. */
import { parentPort } from 'node:worker_threads'
import { Swarm, type SwarmMemory } from '../swarm/swarm.ts'
import { patiently } from '../time/turns.ts'
import { orderOf, type Sort } from './order.ts'

export type OrderTask = { readonly memory: SwarmMemory; readonly sortBy: Sort }

parentPort?.once('message', async ({ memory, sortBy }: OrderTask) => {
  // Numbers that only matter to threads that lock or choose peers.
  const swarm = new Swarm(memory, 1, 1)
  const order = await patiently(() => orderOf(swarm, sortBy))
  parentPort?.postMessage(order, [order.hashes.buffer, order.places.buffer])
})
