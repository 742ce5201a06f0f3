/** `tracker log` and `tracker reload` against servers that answer as the API does. */
import { describe, expect, test } from 'bun:test'
import { EventStream } from '../../src/operate/event-stream.ts'
import { fakeHttpServer, respond, type Sender } from '../support/client/fake-http.ts'
import { runCommand, TOKEN } from '../support/operate/running.ts'
import { until } from '../support/until.ts'

const EVENTS = Array.from({ length: 5 }, (_, n) => ({
  timestamp: `2026-11-28T03:00:0${n}.000000Z`,
  level: n === 2 ? 'WARN' : 'INFO',
  fields: { message: `event ${n}`, ...(n > 0 && { udp: n, from: 'a b' }) },
  target: 'TRACKER',
}))
const LINES = EVENTS.map(
  ({ timestamp, level, fields }, n) =>
    `${timestamp} ${level.padStart(5)} TRACKER: ${fields.message}${n === 0 ? '' : ` udp=${n} from=a b`}\n`,
)
const env = { TRACKER_TOKEN: TOKEN }
const at = ({ port }: { port: number }) => ['--url', `http://127.0.0.1:${port}`]

describe('the last lines', () => {
  const body = JSON.stringify(EVENTS)
  test('T11: are the lines of the log on a terminal, and what the API answers in a pipe', async () => {
    using server = await fakeHttpServer((_request, socket) => void socket.write(respond(body)))
    const words = ['log', ...at(server), '--lines', '5', '--level', 'warn']
    expect(await runCommand(words, { env })).toEqual({ code: 0, out: `${body}\n`, err: '' })
    const shown = await runCommand(words, { env, outIsTerminal: true })
    expect(shown).toEqual({ code: 0, out: LINES.join(''), err: '' })
    expect(server.requests[0]).toStartWith('GET /api/v1/log?lines=5&level=warn HTTP/1.1\r\n')
  })
})

describe('with --follow', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
  const sent = (...numbers: number[]) =>
    numbers.map((n) => `id: ${70 + n}\ndata: ${JSON.stringify(EVENTS[n])}\n\n`).join('')

  /** A command that follows, until `stop` is called; `out` grows. */
  function following(port: number, words: string[] = []) {
    const gone = new AbortController()
    const said = { out: '', err: '' }
    const ended = runCommand(['log', '--follow', ...at({ port }), ...words], {
      env,
      readerGone: gone.signal,
      print(text) {
        said.out += text
      },
      complain(text) {
        said.err += text
      },
    })
    return { said, ended, stop: () => gone.abort() }
  }

  test('T11: events are printed when they come, one JSON document a line, until the reader has gone', async () => {
    let sender: Sender | undefined
    using server = await fakeHttpServer((_request, socket) => {
      sender = socket
      socket.write(`${HEAD}retry: 2000\n\n${sent(0, 1)}event: lost\ndata: {"lost":3}\n\n`)
    })
    const { said, ended, stop } = following(server.port)
    const json = (count: number) =>
      EVENTS.slice(0, count)
        .map((event) => `${JSON.stringify(event)}\n`)
        .join('')
    await until('two events', () => said.out === json(2))
    // An event in pieces.
    const third = sent(2)
    sender!.write(third.slice(0, 9))
    sender!.write(`${third.slice(9)}: still here\n\n`)
    await until('the third event', () => said.out === json(3))
    expect(server.requests[0]).toStartWith('GET /api/v1/log?lines=20&follow=true HTTP/1.1\r\n')
    stop()
    expect((await ended).code).toBe(0)
    await until('the connection to be closed', () => server.open() === 0)
    expect(said.err).toBe('tracker log: 3 lines lost: they came faster than they were printed\n')
  })

  test('T11: a tracker that restarts is waited for, and asked for what came since', async () => {
    let connections = 0
    using server = await fakeHttpServer((_request, socket) => {
      connections++
      socket.write(HEAD + (connections === 1 ? sent(0, 1, 2) : sent(3)))
      if (connections === 1) socket.end()
    })
    const { said, ended, stop } = following(server.port, ['--format', 'text'])
    await until('the event after the restart', () => said.out.includes('event 3'))
    stop()
    expect((await ended).code).toBe(0)
    expect(said).toEqual({
      out: LINES.slice(0, 4).join(''),
      err: 'tracker log: the tracker ended the connection; trying again\ntracker log: connected again\n',
    })
    expect(server.requests.map((one) => /last-event-id: (.*)/i.exec(one)?.[1])).toEqual([
      undefined,
      '72',
    ])
  })

  test('T11: a tracker that was never there, or refuses, is not waited for', async () => {
    const gone = await fakeHttpServer(() => {})
    gone[Symbol.dispose]()
    const refused = await following(gone.port).ended
    expect(refused.code).toBe(1)
    using server = await fakeHttpServer((_request, socket) => {
      socket.write(respond('Unhandled rejection: Err { reason: "token not valid" }', '500 X'))
    })
    const { said, ended } = following(server.port)
    expect((await ended).code).toBe(1)
    expect(said.err).toContain('it does not accept the token (token not valid)')
  })

  test('T11: Ctrl-C ends it', async () => {
    using server = await fakeHttpServer((_request, socket) => void socket.write(HEAD + sent(0)))
    const child = Bun.spawn(
      [process.execPath, `${import.meta.dir}/../../src/main.ts`, 'log', '-f', ...at(server)],
      { env: { PATH: process.env.PATH ?? '', ...env }, stdout: 'pipe', stderr: 'pipe' },
    )
    const reader = child.stdout.getReader()
    const { value } = await reader.read()
    expect(Buffer.from(value!).toString()).toBe(`${JSON.stringify(EVENTS[0])}\n`)
    child.kill('SIGINT')
    expect([await child.exited, await child.stderr.text()]).toEqual([0, ''])
  })

  test('T11: a reader that has gone ends it', async () => {
    let sender: Sender | undefined
    using server = await fakeHttpServer((_request, socket) => {
      sender = socket
      socket.write(HEAD + sent(0))
    })
    const url = `http://127.0.0.1:${server.port}`
    const child = Bun.spawn(
      [
        'sh',
        '-c',
        `"$1" "$2" log -f --url ${url} | head -n 1`,
        'sh',
        process.execPath,
        `${import.meta.dir}/../../src/main.ts`,
      ],
      { env: { PATH: process.env.PATH ?? '', ...env }, stdout: 'pipe', stderr: 'pipe' },
    )
    const ended = child.exited
    let isOver = false
    void ended.then(() => (isOver = true))
    // The pipe is found broken when something is written to it.
    await until('the command to end', () => {
      sender?.write(sent(1, 2, 3))
      return isOver
    })
    expect([await ended, await child.stdout.text()]).toEqual([0, `${JSON.stringify(EVENTS[0])}\n`])
  })
})

describe('server-sent events', () => {
  const read = (...parts: (string | Uint8Array)[]): string[] => {
    const stream = new EventStream()
    return parts.flatMap((part) =>
      Array.from(stream.take(Buffer.from(part as string)), (one) => one.data),
    )
  }
  test.each<[string, string[], string[]]>([
    ['whole', ['data: a\n\ndata: b\n\n'], ['a', 'b']],
    ['with other line ends', ['data: a\r\n\r\ndata: b\r\rdata: c\n\n'], ['a', 'b', 'c']],
    [
      'whose lines are cut between the bytes of a line end',
      ['data: a\r', '\ndata: b\r', '\n\r', '\n'],
      ['a\nb'],
    ],
    ['cut between the bytes of a line end', ['data: a\r', '\n\r\ndata: b\n', '\n'], ['a', 'b']],
    [
      'of several lines, without a blank, with other fields',
      ['event: x\ndata:a\nid: 7\ndata: b\n\n'],
      ['a\nb'],
    ],
    ['that have not ended', ['data: a\n'], []],
    ['that are none', [': c\n\nretry: 5\n\n\n\n'], []],
  ])('%s', (_what, parts, data) => expect(read(...parts)).toEqual(data))

  test('byte by byte, with letters of several bytes', () => {
    const bytes = Buffer.from('data: é€😀\r\n\r\ndata: b\r\n\r\n')
    expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(['é€😀', 'b'])
  })

  test('have the last id that was sent', () => {
    const events = new EventStream().take(
      Buffer.from('id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n'),
    )
    expect(Array.from(events, ({ id }) => id)).toEqual(['7', '7', ''])
  })

  test('one that never ends is given up', () => {
    for (const part of [`data: ${'a'.repeat(99)}\n`, 'a'.repeat(99)])
      expect(() => read(...Array(11_000).fill(part))).toThrow('never ends')
  })
})

describe('reload', () => {
  const reload = async (body: string, status = '200 OK', words: string[] = []) => {
    using server = await fakeHttpServer(
      (_request, socket) => void socket.write(respond(body, status)),
    )
    const { code, out, err } = await runCommand(['reload', ...at(server), ...words], { env })
    expect(server.requests[0]).toStartWith('POST /api/v1/reload HTTP/1.1\r\n')
    return { code, out, err: err.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:PORT') }
  }
  const text = ['--format', 'text']

  test('T11: lists what was applied and what needs a restart', async () => {
    const body =
      '{"status":"ok","applied":["core.listed","tokens"],"restart":["runtime.workers"],"mistakes":[]}'
    expect(await reload(body)).toEqual({ code: 0, out: `${body}\n`, err: '' })
    expect(await reload(body, '200 OK', text)).toEqual({
      code: 0,
      out: `Applied:
  core.listed
  tokens
Changed, but not before a restart:
  runtime.workers
`,
      err: '',
    })
    const mistakes = ['tracker.toml:3:1: core.x: unknown\n  3 | x = 1\u001b', 'another']
    const refusal = JSON.stringify({ applied: [], restart: [], mistakes })
    expect(await reload(refusal, '422 Unprocessable Entity', text)).toEqual({
      code: 1,
      out: '',
      err: `tracker reload: http://127.0.0.1:PORT: nothing was changed: 2 mistakes
  tracker.toml:3:1: core.x: unknown
    3 | x = 1\\x1b
  another
`,
    })
    expect((await reload('{"status":"ok","applied":[],"restart":[]}', '200 OK', text)).out).toBe(
      'Nothing has changed.\n',
    )
  })
})
