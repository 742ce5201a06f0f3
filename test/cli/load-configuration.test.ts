/** Reading the configuration of a tracker that serves already. */
import { expect, test } from 'bun:test'
import { readConfigurationAgain } from '../../src/cli/load-configuration.ts'
import { capturedHost } from '../support/cli/captured-host.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const mistakesOf = (path: string) => {
  const { host } = capturedHost({ env: { TORRUST_TRACKER_CONFIG_TOML_PATH: path } })
  const loaded = readConfigurationAgain({ options: new Map(), arguments: [] }, host)
  return loaded.kind === 'failed' ? loaded.mistakes.map(({ message }) => message) : []
}

test.skipIf(process.platform === 'win32')('it waits for no pipe in place of a file', async () => {
  expect(mistakesOf('/dev/zero')).toEqual([expect.stringContaining('is not a regular file')])
  using room = temporaryDirectory()
  expect(await Bun.spawn(['mkfifo', room.at('pipe')]).exited).toBe(0)
  expect(mistakesOf(room.at('pipe'))).toEqual([expect.stringContaining('is not a regular file')])
})
