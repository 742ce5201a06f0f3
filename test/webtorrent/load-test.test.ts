/**
 * The load generator of aquatic against this tracker, over TLS, as it knows nothing else. It wants a build of some minutes
 * (`cargo install --locked aquatic_ws_load_test@0.9.0`): TEST_AQUATIC_WS_LOAD_TEST names the program, else this is skipped.
 */
import { expect, test } from 'bun:test'
import { certify } from '../support/certificate.ts'
import { runProgram } from '../support/run-program.ts'
import { startTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const { TEST_AQUATIC_WS_LOAD_TEST: program } = process.env

test.skipIf(program === undefined).each([1, 2])(
  'W71: aquatic_ws_load_test gets what it expects of %d thread(s)',
  async (workers) => {
    using room = temporaryDirectory()
    const { cert, key } = await certify(room.path)
    const rest = `
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }
[health_check_api]
bind_address = "127.0.0.1:0"
`
    await using tracker = await startTracker({ workers, rest })
    // It ends after its first report, which comes after five seconds. It logs lost connections as information.
    room.write({
      'load.toml': `
server_address = "127.0.0.1:${tracker.ports.webSocket[0]}"
log_level = "info"
duration = 5
measure_after_max_connections_reached = false
[torrents]
number_of_torrents = 100
weight_scrape = 1
`,
    })
    const { code, out, err } = await runProgram([program!, '-c', room.at('load.toml')])
    const figure = (name: string) => Number(new RegExp(`${name}: +([\\d.]+)`).exec(out)?.[1])
    expect({ code, complaints: `${out}${err}`.match(/.*(?:\berror\b|WARN|ERROR).*/g) }).toEqual({
      ...{ code: 0, complaints: null },
    })
    for (const kind of ['Announce', 'Offer', 'Answer', 'Scrape'])
      expect(figure(`${kind} responses`)).toBeGreaterThan(0)
    expect(figure('Error responses')).toBe(0)
    expect(figure('Active connections')).toBeGreaterThanOrEqual(16)
  },
)
