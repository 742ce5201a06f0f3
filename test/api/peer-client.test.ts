/** Names of clients by their peer ids (docs/behaviours.md A16). */
import { expect, test } from 'bun:test'
import { clientName } from '../../src/api/peer-client.ts'
import { dice } from '../support/random.ts'

const named = (id: string): string | null =>
  clientName(Buffer.from(id.padEnd(20, '\x01').slice(0, 20), 'latin1'))

test.each([
  ['-qB4500-', 'qBittorrent'],
  ['-TR3000-', 'Transmission'],
  ['-UT3560-', 'µTorrent'],
  ['-UW1234-', 'µTorrent Web'],
  ['-lt0D80-', 'libTorrent (Rakshasa) / rTorrent'],
  ['-LT2060-', 'libtorrent (Rasterbar)'],
  ['-A~0010-', 'Ares'],
  ['-AR0010-', 'Ares'],
  ['-XL0012-', '迅雷在线 (Xunlei)'],
  ['-BI2000-B', 'BiglyBT'],
  ['-BI2000-A', 'BiglyBT for Android'],
  ['-#@0000-', 'Invalid PeerID'],
  // The dash at the end is missing.
  ['-FG12345', 'FlashGet'],
  ['-SP12345', 'BitSpirit'],
  ['-qB45001', null],
  // In that style but unknown: no other style is tried.
  ['-zz0000-', null],
  ['-QV0000-', null],
  // BitsOnWheels is not of that style.
  ['-BOWA0C-', 'BitsOnWheels'],
  ['-BOWP05-', 'BitsOnWheels'],
  ['S58B-----', 'Shad0w'],
  ['T03I--008', 'BitTornado'],
  ['A310--001', 'ABC'],
  ['R000--003', 'Tribler'],
  ['U1-----1', 'UPnP NAT'],
  ['TB100-abc', 'Top-BT'],
  ['T-0---x', null],
  ['M7-2-1--', 'Mainline'],
  ['Q1-23-4-', 'Queen Bee'],
  ['S3-1-0-0', 'Amazon AWS S3'],
  ['exbc\x00\x08LORD', 'BitLord'],
  ['exbc\x00\x08xxxx', 'BitComet'],
  ['FUTB\x00\x08', 'BitComet'],
  ['\x00\x03BS', 'BitSpirit'],
  ['xxxxxxxxxxxxxxxxUDP0', 'BitSpirit?'],
  ['xxBSxxxxxxxxxxHTTPBT', 'BitSpirit'],
  ['exbc\x00\x08LORDxxxxHTTPBT', 'BitLord'],
  ['-UT170-1', 'µTorrent'],
  ['-aria2-1', 'Aria'],
  ['xxxxxAzureus', 'Azureus'],
  ['Azureus', 'Azureus'],
  ['xxxxxxxxxxBG', 'BTGetit'],
  ['xxxxbtfans', 'SimpleBT'],
  ['OP7685', 'Opera'],
  ['Oxxxxxx', 'Opera'],
  ['-ML3.1.0', 'MLdonkey'],
  ['XBT054d-', 'XBT'],
  ['xxRS', 'Rufus'],
  ['TIX0128', 'Tixati'],
  ['S587Plus', 'BitTorrent Plus!'],
  ['', null],
  ['\xff\xfe\x00', null],
])('%p is %p', (id, name) => {
  expect(named(id)).toBe(name)
})

test('any twenty bytes have a name or none', () => {
  const roll = dice()
  for (let time = 0; time < 5_000; time++) {
    const id = Uint8Array.from({ length: 20 }, () => roll(256))
    if (roll(2)) id[0] = 0x2d
    const name = clientName(id)
    expect(name === null || name.length > 0).toBe(true)
  }
})
