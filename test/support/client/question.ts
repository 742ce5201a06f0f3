/** An announce for tests, tracker URLs, and what a failed request rejects with. */
import { EVENT } from '../../../src/bittorrent.ts'
import { ClientFailure } from '../../../src/client/failure.ts'
import { parseTrackerUrl, type TrackerUrl } from '../../../src/client/tracker-url.ts'
import type { AnnounceQuestion } from '../../../src/wire/udp-client.ts'

export const question: AnnounceQuestion = {
  infoHash: new Uint8Array(20).fill(0xf2),
  peerId: Buffer.from('-XX0000-123456789012'),
  port: 6881,
  uploaded: 0,
  downloaded: 0,
  left: 0,
  event: EVENT.none,
  key: 0,
  want: -1,
  compact: true,
}

export function urlOf(text: string): TrackerUrl {
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') throw new Error(url)
  return url
}

/** Kind and message of the failure that `asking` must reject with; ports are `PORT`. */
export async function failure(asking: Promise<unknown>): Promise<[string, string]> {
  const error = await asking.then(
    () => new Error('it was answered'),
    (reason) => reason,
  )
  if (!(error instanceof ClientFailure)) throw error
  return [error.kind, error.message.replaceAll(/:\d{3,}(?=[:/])/g, ':PORT')]
}
