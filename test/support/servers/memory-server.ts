/** A program for memory.test.ts: a whole tracker on one thread. Prints its ports; ends with its standard input. */

import { TOKEN } from '../api/cases.ts'
import { listeners } from '../configuration.ts'
import { startTracker } from '../started-tracker.ts'

const { ports, apiPort, healthPort } = await startTracker({
  core: '[core.database]\npath = "tracker.db"\n',
  maxMemory: '4GiB',
  rest: `
${listeners()}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${TOKEN}" }
`,
})
// From its first full collection on the engine counts reserved memory as used, and hardly collects.
Bun.gc(true)
const opened = { udp: ports.udp[0], http: ports.http[0], api: apiPort, health: healthPort }
process.stdout.write(`${JSON.stringify(opened)}\n`)
for await (const _ of Bun.stdin.stream());
process.exit(0)
