/**
 * Messages of real clients: what webtorrent 3.0.21 sends in a browser, and what the npm package `bittorrent-tracker`
 * relays of it, byte for byte.
 */
export const bytesOf = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1')

export const INFO_HASH = 'd25042b9354dd3aa79d7eccc0cd4c2b62fbb23a1'
export const OFFER_ID = '211eb318d8acca29223d4d04e1e255471641e900'
export const LEECHER = '-WW0300-jZ2GLf4tBsxN'
export const SEEDER = '-WW0300-P19GHlFlhziz'

const sdpOf = (port: number, setup: string) =>
  [
    'v=0',
    'o=- 5101171216429767783 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    `m=application ${port} UDP/DTLS/SCTP webrtc-datachannel`,
    'c=IN IP4 192.0.2.7',
    `a=candidate:1 1 udp 2113937151 192.0.2.7 ${port} typ host`,
    'a=ice-ufrag:3NqP',
    'a=ice-pwd:7bTUZ+jGD3Ybv1DcCubeFJG0',
    'a=fingerprint:sha-256 6B:DD:30:78:1D:83:57:E2:E7:2C:44:14:31:FE:FF:2A:CD:85:B5:2D:DD:70:29:B5:E6:B0:1F:46:47:6F:F5:61',
    `a=setup:${setup}`,
    'a=mid:0',
    'a=sctp-port:5000',
    '',
  ].join('\r\n')

const offer = { type: 'offer', sdp: sdpOf(42385, 'actpass') }
const answer = { type: 'answer', sdp: sdpOf(54690, 'active') }
const info_hash = bytesOf(INFO_HASH)
const offer_id = bytesOf(OFFER_ID)
const announced = (fields: object, peer_id: string) =>
  JSON.stringify({ ...fields, action: 'announce', info_hash, peer_id })

/** A leecher with one offer, as it comes from a magnet link. */
export const ANNOUNCE = JSON.stringify({
  numwant: 1,
  uploaded: 0,
  downloaded: 0,
  left: null,
  event: 'started',
  action: 'announce',
  info_hash,
  peer_id: LEECHER,
  offers: [{ offer, offer_id }],
})

/** Its offer, as another peer receives it. */
export const OFFER = JSON.stringify({
  action: 'announce',
  offer,
  offer_id,
  peer_id: LEECHER,
  info_hash,
})

/** The answer of a seeder to that offer, and as the leecher receives it. */
export const ANSWER = JSON.stringify({
  action: 'announce',
  info_hash,
  peer_id: SEEDER,
  to_peer_id: LEECHER,
  answer,
  offer_id,
})
export const RELAYED_ANSWER = JSON.stringify({
  action: 'announce',
  answer,
  offer_id,
  peer_id: SEEDER,
  info_hash,
})

/** The first words of a seeder, and the last ones of a client that is closed. */
export const SEEDING = announced(
  { numwant: 50, uploaded: 0, downloaded: 300_000, left: 0, event: 'completed' },
  SEEDER,
)
export const STOPPED = announced(
  { numwant: 50, uploaded: 0, downloaded: 0, event: 'stopped' },
  LEECHER,
)

/** The same in ASCII, as Python writes JSON and as this tracker does. */
export const asciiForm = (text: string): string =>
  text.replaceAll(/[^\0-~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
