/**
 * Entry of the process: runs a command and ends with its exit code. The only file that knows the process's
 * arguments, environment and end.
 */
import { misuseMessage, parseCommandLine } from './cli/command-line.ts'
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
  const parsed = parseCommandLine(TRACKER, words)
  switch (parsed.kind) {
    case 'help':
      host.print(parsed.text)
      return EXIT.success
    case 'version':
      host.print(`tracker ${VERSION}${COMMIT ? ` (${COMMIT})` : ''}\n`)
      return EXIT.success
    case 'misuse':
      host.complain(`${parsed.message}\n`)
      return EXIT.misuse
    case 'run':
      try {
        return (await parsed.command.run?.(parsed.invocation, host, TRACKER)) ?? EXIT.failure
      } catch (error) {
        if (error instanceof Misuse) {
          host.complain(`${misuseMessage(parsed.name, error.message)}\n`)
          return EXIT.misuse
        }
        host.complain(`tracker: ${error instanceof Error ? error.stack : error}\n`)
        return EXIT.failure
      }
  }
}
