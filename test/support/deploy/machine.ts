/** A container with its own systemd for one script, in which units run as on a real machine. */
import { linkSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../temporary-directory.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

const SCRIPT_UNIT = `
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash -euo pipefail /room/script
StandardOutput=append:/room/out
StandardError=append:/room/err
TimeoutStartSec=${PATIENCE_MILLISECONDS / 1_000 - 10}
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS > /room/code'
ExecStopPost=/bin/systemctl exit --force
`

export type Job = {
  /** Lines of Bash; the first that fails ends it. */
  readonly script: string
  /** Units for its systemd, and drop-ins (`NAME.service.d/NAME.conf`). */
  readonly units?: Readonly<Record<string, string>>
  /** Files in /room: their text, or the path of the original. */
  readonly files?: Readonly<Record<string, { text: string } | { path: string }>>
}

/** Boots and runs the script to its end; its exit code and output. Rejects when there can be no machine. */
export async function onMachine({ script, units = {}, files = {} }: Job) {
  using room = temporaryDirectory({ script, 'units/script.service': SCRIPT_UNIT })
  for (const [name, text] of Object.entries(units)) room.write({ [`units/${name}`]: text })
  for (const [name, file] of Object.entries(files))
    if ('text' in file) room.write({ [name]: file.text })
    else linkSync(file.path, room.at(name))
  const machine = Bun.spawn([join(import.meta.dir, 'machine.sh'), room.path], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    timeout: PATIENCE_MILLISECONDS,
  })
  const trouble = await new Response(machine.stderr).text()
  if ((await machine.exited) !== 0) throw new Error(`no machine: ${trouble}`)
  const said = (name: string) => readFileSync(room.at(name), 'utf8')
  return { code: Number(said('code')), out: said('out'), err: said('err') }
}

/** Whether this machine can do that: it takes root, namespaces, cgroups of version 2 and systemd. */
export const hasMachine: boolean = await onMachine({ script: 'echo ready' }).then(
  ({ out }) => out === 'ready\n',
  () => false,
)
