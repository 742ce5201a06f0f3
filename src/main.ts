/**
 * Entry of the process: picks the command and ends with its exit code. The only file that knows the
 * process's arguments, environment and end.
 */
import { version } from '../package.json' with { type: 'json' }
import { misuseMessage, parseCommandLine } from './cli/command-line.ts'
import type { Host } from './cli/host.ts'
import { Misuse } from './cli/invocation.ts'
import { SIGNALS } from './cli/stop-signal.ts'
import { TRACKER } from './commands/tracker.ts'

const SUCCESS = 0
const FAILURE = 1
const MISUSE = 2

const readerGone = new AbortController()

const host: Host = {
  version,
  env: process.env,
  cwd: process.cwd(),
  colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  readerGone: readerGone.signal,
  print: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  exit: (code) => process.exit(code),
}

let exitCode = SUCCESS
const broken = new Set<NodeJS.WriteStream>()

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    broken.add(stream)
    // Whoever read our output may be gone (`tracker config print | head`): that is no error of ours.
    if (error.code === 'EPIPE') {
      if (stream === process.stdout) readerGone.abort()
    } else if (exitCode === SUCCESS) {
      // A full disk. What was to be said is lost, which a script must know; a tracker serves on.
      exitCode = FAILURE
      if (stream === process.stdout)
        host.complain(`tracker: cannot write the output: ${error.message}\n`)
    }
  })

// The first process of a container has no handlers of the kernel's: without ours, Ctrl-C would do nothing.
if (process.pid === 1)
  for (const [signal, code] of Object.entries(SIGNALS))
    process.on(signal, () => {
      // Commands that have something to end do it themselves.
      if (process.listenerCount(signal) === 1) process.exit(code)
    })

// The tools ask trackers directly, over HTTP as over UDP: an answer of a proxy would say nothing about
// the tracker.
for (const name of Object.keys(process.env))
  if (/^(https?|all)_proxy$/i.test(name)) delete process.env[name]

const code = await main(process.argv.slice(2))
// Ending the process does not wait for a slow reader of a pipe, and neither does an empty write.
for (const stream of [process.stdout, process.stderr])
  await new Promise<void>((resolve) => {
    // One that failed never says that it has ended.
    if (broken.has(stream)) return resolve()
    stream.once('error', () => resolve())
    stream.end(() => resolve())
  })
process.exit(code === SUCCESS ? exitCode : code)

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(TRACKER, words)
  switch (parsed.kind) {
    case 'help':
      host.print(parsed.text)
      return SUCCESS
    case 'version':
      host.print(`tracker ${version}\n`)
      return SUCCESS
    case 'misuse':
      host.complain(`${parsed.message}\n`)
      return MISUSE
    case 'run':
      try {
        return (await parsed.command.run?.(parsed.invocation, host)) ?? FAILURE
      } catch (error) {
        if (error instanceof Misuse) {
          host.complain(`${misuseMessage(parsed.name, error.message)}\n`)
          return MISUSE
        }
        host.complain(`tracker: ${error instanceof Error ? error.stack : error}\n`)
        return FAILURE
      }
  }
}
