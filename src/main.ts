/**
 * Entry of the process: runs a command and ends with its exit code. The only file that knows the process's
 * arguments, environment and end.
 */
import { CommandLine, misuseMessage } from './cli/command-line.ts'
import { help } from './cli/help.ts'
import { EXIT, type Host } from './cli/host.ts'
import { Misuse } from './cli/invocation.ts'
import { SIGNALS } from './cli/stop-signal.ts'
import { TRACKER } from './commands/command-table.ts'
import { COMMIT, VERSION } from './version.ts'

const readerGone = new AbortController()

const host: Host = {
  env: process.env,
  cwd: process.cwd(),
  colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  outIsTerminal: process.stdout.isTTY === true,
  columns: process.stdout.columns,
  errIsTerminal: process.stderr.isTTY === true,
  readerGone: readerGone.signal,
  print: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  exit: (code) => process.exit(code),
}

let outputLost = false
const broken = new Set<NodeJS.WriteStream>()

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    broken.add(stream)
    // The reader of our output may be gone (`tracker config print | head`), which is no failure.
    if (error.code === 'EPIPE') {
      if (stream === process.stdout) readerGone.abort()
    } else if (!outputLost) {
      // For example a full disk. A script must learn that output was lost; a tracker serves on.
      outputLost = true
      if (stream === process.stdout)
        host.complain(`tracker: cannot write the output: ${error.message}\n`)
    }
  })

// The kernel gives the first process of a container no default handlers: without ours, Ctrl-C would do nothing.
if (process.pid === 1)
  for (const [signal, code] of Object.entries(SIGNALS))
    process.on(signal, () => {
      // Commands that have something to finish handle the signal themselves.
      if (process.listenerCount(signal) === 1) process.exit(code)
    })

// The tools ask trackers directly, over HTTP as over UDP: a proxy's answer would say nothing about the tracker.
for (const name of Object.keys(process.env))
  if (/^(https?|all)_proxy$/i.test(name)) delete process.env[name]

const code = await main(process.argv.slice(2))
// Neither the end of the process nor an empty write waits for a slow reader of a pipe.
for (const stream of [process.stdout, process.stderr])
  await new Promise<void>((resolve) => {
    // A stream that failed never reports its end.
    if (broken.has(stream)) return resolve()
    stream.once('error', () => resolve())
    stream.end(() => resolve())
  })
process.exit(code === EXIT.success && outputLost ? EXIT.failure : code)

async function main(words: readonly string[]): Promise<number> {
  const [first, ...rest] = words
  const line = new CommandLine(TRACKER)
  try {
    // Many try `tracker help config` and `tracker version` first.
    line.read(first === 'help' || first === 'version' ? [...rest, `--${first}`] : words)
    if (line.asked === 'help') host.print(help(line.path))
    else if (line.asked === 'version')
      host.print(`tracker ${VERSION}${COMMIT ? ` (${COMMIT})` : ''}\n`)
    if (line.asked) return EXIT.success
    line.finish()
    return (await line.command.run?.(line, host, TRACKER)) ?? EXIT.failure
  } catch (error) {
    if (error instanceof Misuse) {
      host.complain(`${misuseMessage(line.name, error.message)}\n`)
      return EXIT.misuse
    }
    host.complain(`tracker: ${error instanceof Error ? error.stack : error}\n`)
    return EXIT.failure
  }
}
