/** This program among BitTorrent clients (BEP 20). */
import { PEER_ID_BYTES } from '../bittorrent.ts'

const CLIENT = '-TK0100-'

/** Another one each time: the name of the program and digits. */
export function randomPeerId(): Uint8Array {
  const digits = crypto.getRandomValues(new Uint8Array(PEER_ID_BYTES - CLIENT.length))
  return Buffer.from(CLIENT + Array.from(digits, (byte) => byte % 10).join(''))
}
