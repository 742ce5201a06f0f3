/**
 * The two ways in which a UDP socket is read. What a tracker does with datagrams is tested over both: also by trackers
 * that are whole, as long as they have one thread.
 */
import { afterEach, beforeEach, describe, type Mock, spyOn } from 'bun:test'
import { DirectSocket } from '../../../src/servers/direct-socket.ts'

export function overBothPaths(what: string, tests: (isDirect: boolean) => void): void {
  describe(`${what}, read with system calls of ours`, () => tests(true))
  describe(`${what}, read by Bun`, () => {
    let refusal: Mock<DirectSocket['hold']>
    beforeEach(() => {
      refusal = spyOn(DirectSocket.prototype, 'hold').mockReturnValue(false)
    })
    afterEach(() => refusal.mockRestore())
    tests(false)
  })
}
