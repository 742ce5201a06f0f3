/**
 * A thread that serves UDP as a serving thread does, for udp-faults.test.ts. It tells its port, and, if it is to die, that
 * it has read a batch; then it never comes to send.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Descriptors } from '../../../src/servers/direct-socket.ts'
import { libc } from '../../../src/servers/libc.ts'
import { serveUdpAlone } from './served-udp.ts'

export type Setup = {
  readonly descriptors: Descriptors
  readonly port: number
  readonly dies: boolean
}
export type Heard = { readonly port: number }

const setup = workerData as Setup
const { port } = await serveUdpAlone(true, setup)
const tell = () => parentPort!.postMessage({ port } satisfies Heard)
if (setup.dies)
  Object.assign(libc()!, {
    sendmmsg: () => {
      tell()
      for (;;);
    },
  })
tell()
