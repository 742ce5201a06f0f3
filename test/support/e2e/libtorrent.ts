/** Debian's libtorrent as a client that finds other clients only through the tracker. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../until.ts'

/** Debian's Python, for its libtorrent; null if that is not installed. */
export const PYTHON: string | null = hasLibtorrent('/usr/bin/python3') ? '/usr/bin/python3' : null

export type Heard =
  | { readonly event: 'reply'; readonly peers: number }
  | { readonly event: 'error'; readonly message: string }
  | { readonly event: 'finished' }

function hasLibtorrent(python: string): boolean {
  return existsSync(python) && Bun.spawnSync([python, '-c', 'import libtorrent']).success
}

/** Downloads `torrent` into `directory`, or seeds the content that is there. */
export function startLibtorrent(directory: string, torrent: string) {
  mkdirSync(directory, { recursive: true })
  const child = Bun.spawn([PYTHON!, join(import.meta.dir, 'swarm-client.py'), torrent, directory], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { HOME: directory, PATH: '/usr/bin' },
  })
  const heard: Heard[] = []
  const complaint = new Response(child.stderr).text()
  const read = async () => {
    let rest = ''
    for await (const bytes of child.stdout) {
      const lines = (rest + Buffer.from(bytes)).split('\n')
      rest = lines.pop()!
      for (const line of lines) heard.push(JSON.parse(line))
    }
  }
  const reading = read()
  return {
    /** Resolves with its first event that is one of `events`. */
    hears: <E extends Heard['event']>(...events: E[]): Promise<Extract<Heard, { event: E }>> =>
      until(
        () => `${events.join(' or ')} in ${JSON.stringify(heard)}`,
        async () => {
          const found = heard.find(({ event }) => (events as string[]).includes(event))
          if (!found && child.exitCode !== null) throw new Error(await complaint)
          return found as Extract<Heard, { event: E }> | undefined
        },
      ),
    /** Ends it as a user would: it announces that it stops. */
    async stop(): Promise<void> {
      child.stdin.end()
      await child.exited
      await reading
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL')
      await child.exited
    },
  }
}
