/**
 * Clients that announce over UDP and HTTPS without a pause, each question once. What is not answered as it should be is
 * kept in `faults`.
 */
import { percent } from '../http-client.ts'
import { announcePacket, EVENT, readAnnounce, udpSocket, urlData } from '../udp-client.ts'
import { until } from '../until.ts'

export type SteadyLoad = AsyncDisposable & {
  readonly faults: string[]
  /** Answers so far. */
  readonly answers: { udp: number; https: number }
  /** Every client has been answered again. */
  everyoneServed(): Promise<void>
  stop(): Promise<void>
}

type Options = {
  readonly udpPort: number
  readonly httpPort: number
  readonly infoHash: Uint8Array
  /** Shown by every client. */
  readonly key: string
  readonly clients?: number
}

export function steadyLoad(options: Options): SteadyLoad {
  const { clients = 4 } = options
  const faults: string[] = []
  const answers = { udp: 0, https: 0 }
  const rounds: number[] = []
  let isOver = false
  const run = async (i: number, kind: 'udp' | 'https', ask: () => Promise<void>) => {
    rounds[i] = 0
    while (!isOver) {
      try {
        await ask()
        answers[kind]++
        rounds[i]!++
      } catch (error) {
        faults.push(`${kind} client ${i}: ${error}`)
      }
    }
  }
  const running = Array.from({ length: clients }, async (_, i) => {
    using client = await udpClient(options)
    await run(i, 'udp', client.announce)
  })
  for (let i = 0; i < clients; i++) {
    const client = new HttpsClient(options, i % 2 === 0)
    running.push(run(clients + i, 'https', () => client.announce()).then(() => client.close()))
  }
  const stop = async () => {
    isOver = true
    await Promise.all(running)
  }
  return {
    faults,
    answers,
    async everyoneServed() {
      const before = [...rounds]
      await until(
        () => `everyone to be served: ${before} ${rounds} ${faults}`,
        () => rounds.length === 2 * clients && rounds.every((count, i) => count > (before[i] ?? 0)),
      )
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function udpClient({ udpPort, infoHash, key }: Options) {
  const client = await udpSocket(udpPort)
  const options = urlData(`/announce/${key}`)
  const id = await client.connect()
  const fields = { infoHash, event: EVENT.none, options, port: client.socket.port }
  return {
    announce: async () => {
      const answer = await client.ask(announcePacket(id, fields))
      const { action } = readAnnounce(answer)
      if (action !== 1) throw new Error(Buffer.from(answer.subarray(8)).toString())
    },
    [Symbol.dispose]: client[Symbol.dispose],
  }
}

/** Keeps its connection until it is told to close it, or makes one for each question. */
class HttpsClient {
  readonly #options: Options
  readonly #keeps: boolean
  #connection: Bun.Socket | undefined
  #received = ''
  #waiting: PromiseWithResolvers<string> | undefined

  constructor(options: Options, keeps: boolean) {
    this.#options = options
    this.#keeps = keeps
  }

  async announce(): Promise<void> {
    const { infoHash, key } = this.#options
    const query = `info_hash=${percent(infoHash)}&peer_id=-TT0001-abcdefghijkl&port=6881&left=0&uploaded=0&downloaded=0`
    const waiting = Promise.withResolvers<string>()
    this.#waiting = waiting
    this.#received = ''
    this.#connection ??= await this.#connect(waiting.reject)
    const last = this.#keeps ? '' : 'Connection: close\r\n'
    this.#connection.write(`GET /announce/${key}?${query} HTTP/1.1\r\nHost: t\r\n${last}\r\n`)
    const answer = await waiting.promise
    this.#waiting = undefined
    const isLast = !this.#keeps || /^connection: close/im.test(answer)
    if (isLast) this.close()
    if (!answer.startsWith('HTTP/1.1 200') || answer.includes('failure reason'))
      throw new Error(answer)
  }

  close(): void {
    const connection = this.#connection
    this.#connection = undefined
    connection?.end()
  }

  async #connect(reject: (error: Error) => void): Promise<Bun.Socket> {
    const ready = Promise.withResolvers<Bun.Socket>()
    const lost = (socket: Bun.Socket, what: string) => {
      ready.reject(new Error(`${what} while connecting`))
      if (this.#connection !== socket) return
      this.#connection = undefined
      this.#waiting?.reject(new Error(`${what} before the answer: ${this.#received}`))
    }
    await Bun.connect({
      hostname: '127.0.0.1',
      port: this.#options.httpPort,
      tls: { rejectUnauthorized: false },
      socket: {
        handshake: (socket) => ready.resolve(socket),
        data: (_socket, bytes) => {
          this.#received += bytes.toString('latin1')
          const end = this.#received.indexOf('\r\n\r\n')
          const length = Number(/^content-length: (\d+)/im.exec(this.#received)?.[1])
          if (end >= 0 && this.#received.length >= end + 4 + length)
            this.#waiting?.resolve(this.#received)
        },
        close: (socket) => lost(socket, 'closed'),
        error: (socket, error) => lost(socket, String(error)),
        connectError: (_socket, error) => ready.reject(error),
      },
    }).catch((error) => ready.reject(error))
    return await ready.promise.catch((error) => {
      reject(error)
      throw error
    })
  }
}
