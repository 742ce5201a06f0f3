/** Debian's libtorrent as a client that finds other clients only through the tracker. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../until.ts'

/** Debian's Python, for its libtorrent; null if that is not installed. */
export const PYTHON: string | null = hasLibtorrent('/usr/bin/python3') ? '/usr/bin/python3' : null

/** Bytes that a client moved in its session. */
export type Moved = { readonly uploaded: number; readonly downloaded: number }

export type Heard =
  | ({ readonly event: 'reply'; readonly peers: number } & Moved)
  | { readonly event: 'warning'; readonly message: string }
  | { readonly event: 'error'; readonly message: string }
  | { readonly event: 'finished' }

function hasLibtorrent(python: string): boolean {
  return existsSync(python) && Bun.spawnSync([python, '-c', 'import libtorrent']).success
}

/**
 * Downloads `torrent` into `directory`, or seeds the content that is there. `trackers` are announced to beside that of
 * the torrent.
 */
export function startLibtorrent(
  directory: string,
  torrent: string,
  options: {
    readonly trackers?: readonly string[]
    readonly settings?: Readonly<Record<string, string | number | boolean>>
  } = {},
) {
  mkdirSync(directory, { recursive: true })
  const script = join(import.meta.dir, 'swarm-client.py')
  const child = Bun.spawn([PYTHON!, script, torrent, directory, JSON.stringify(options)], {
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
  const hearsFrom = <E extends Heard['event']>(
    from: number,
    ...events: E[]
  ): Promise<Extract<Heard, { event: E }>> =>
    until(
      () => `${events.join(' or ')} in ${JSON.stringify(heard)}`,
      async () => {
        const found = heard.slice(from).find(({ event }) => (events as string[]).includes(event))
        if (!found && child.exitCode !== null) throw new Error(await complaint)
        return found as Extract<Heard, { event: E }> | undefined
      },
    )
  /** Announces at once; what its tracker says then. */
  const asks = async () => {
    const from = heard.length
    child.stdin.write('!')
    await child.stdin.flush()
    return await hearsFrom(from, 'reply', 'error')
  }
  return {
    heard: heard as readonly Heard[],
    /** Resolves with its first event that is one of `events`. */
    hears: <E extends Heard['event']>(...events: E[]) => hearsFrom(0, ...events),
    asks,
    /**
     * Announces until nothing moved between two announces that were answered, so that what it knows is what it reported;
     * its answer.
     */
    async reports(): Promise<Moved> {
      let before: Moved = { uploaded: -1, downloaded: -1 }
      return await until('a quiet client', async () => {
        const answer = await asks()
        if (answer.event === 'error') return undefined
        const { uploaded, downloaded } = answer
        const isQuiet = before.uploaded === uploaded && before.downloaded === downloaded
        before = { uploaded, downloaded }
        return isQuiet && before
      })
    },
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
