/** How a running tracker reads its UDP sockets: with system calls of its own, or through Bun. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Program } from './program.ts'

const PRELOAD = join(import.meta.dir, 'no-system-calls.cjs')

/** The program where there is no C library to call. */
const readByBun =
  (program: Program): Program =>
  () => [Bun.which('env')!, `BUN_OPTIONS=--preload=${PRELOAD}`, ...program()]

type Named = readonly [name: string, program: Program]

/** Also the last of `programs` with sockets that Bun reads. */
export const overBothPaths = (programs: readonly Named[]): readonly Named[] => [
  ...programs,
  [`${programs.at(-1)![0]}, its sockets read by Bun`, readByBun(programs.at(-1)![1])],
]

/** Whether the process reads sockets that Bun waits for: Bun knows them under a descriptor that is another file by now. */
export function readsItself(pid: number): boolean {
  const at = (...names: string[]) => join(`/proc/${pid}`, ...names)
  return readdirSync(at('fdinfo')).some((fd) =>
    Array.from(
      readFileSync(at('fdinfo', fd), 'latin1').matchAll(/^tfd: +(\d+) .* ino:([0-9a-f]+)/gm),
      ([, target, inode]) => {
        const socket = /^socket:\[(\d+)\]$/.exec(readlinkSync(at('fd', target!)))
        return socket !== null && Number(socket[1]) !== Number.parseInt(inode!, 16)
      },
    ).includes(true),
  )
}
